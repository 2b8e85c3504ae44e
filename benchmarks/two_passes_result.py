"""What a bed of two passes came to: its pairs of words said and heard by each way, and what follows from them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from calibration import calibration_error
from calibration import doubt_needed as share_needed
from numpy.typing import NDArray
from scipy.stats import rankdata
from scoring import WordErrors
from timed_alignment import Pair, errors

from trax.config import JobSettings

FAST, BETTER, BOTH = "fast", "refine", "both"
#: The score below which words are heard again, as Trax comes; and those that are looked at beside it.
THRESHOLD = JobSettings().asr.refine_threshold
THRESHOLDS = tuple(sorted({0.5, 0.6, 0.7, 0.8, 0.9, 0.95, THRESHOLD}))


@dataclass(frozen=True, slots=True)
class Way:
    """What one way of hearing made of a bed: the pairs of all its recordings, and seconds of processor time."""

    pairs: tuple[Pair, ...] = ()
    work: float = 0.0

    @property
    def errors(self) -> WordErrors:
        """What is wrong."""
        return errors(self.pairs)

    def __add__(self, other: Way) -> Way:
        return Way(self.pairs + other.pairs, self.work + other.work)


@dataclass(frozen=True, slots=True)
class Result:
    """What all ways made of a bed.

    `audio` and `refined` are seconds, of sound and of what was heard a second time; `doubted_from` says of each pair of the fast model
    from which of `THRESHOLDS` on the second pass may replace it: when its time is in the core of a doubt. Infinite: from none.
    """

    ways: Mapping[str, Way]
    doubted_from: tuple[float, ...] = ()
    audio: float = 0.0
    refined: float = 0.0

    def __add__(self, other: Result) -> Result:
        ways = {name: self.ways[name] + other.ways[name] for name in self.ways}
        return Result(ways, self.doubted_from + other.doubted_from, self.audio + other.audio, self.refined + other.refined)

    def errors_doubted(self, threshold: float = THRESHOLD) -> float:
        """The share of the fast model's errors that is doubted; 1 where it made none."""
        wrong = [start <= threshold for pair, start in zip(self.ways[FAST].pairs, self.doubted_from, strict=True) if not pair.is_right]
        return sum(wrong) / len(wrong) if wrong else 1.0

    def words_doubted(self, threshold: float = THRESHOLD) -> float:
        """The share of its words, and of those it missed, that is doubted."""
        return sum(start <= threshold for start in self.doubted_from) / max(1, len(self.doubted_from))


def total(results: Iterable[Result]) -> Result:
    """All of them together."""
    return sum(results, Result(dict.fromkeys((FAST, BETTER, BOTH), Way())))


def scores(pairs: Iterable[Pair]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Of each word that was heard its score, and whether it is right."""
    heard = [(pair.heard.score, pair.is_right) for pair in pairs if pair.heard]
    return np.array([score for score, _ in heard], dtype=np.float64), np.array([is_right for _, is_right in heard], dtype=np.bool_)


def score_error(pairs: Iterable[Pair]) -> float:
    """The expected calibration error of the words that were heard."""
    return calibration_error(*scores(pairs))


def discrimination(pairs: Iterable[Pair]) -> float:
    """The area under the ROC curve: how often a right word scores more than a wrong one (a tie counts half); 1 where either is missing."""
    found, is_right = scores(pairs)
    right, wrong = int(is_right.sum()), int((~is_right).sum())
    if not (right and wrong):
        return 1.0
    rank = rankdata(found)[is_right].sum() - right * (right + 1) / 2  # Mann and Whitney's U
    return float(rank / (right * wrong))


def doubt_needed(pairs: Iterable[Pair]) -> float:
    """The least share of the words that were heard, those of the lowest scores, that holds 80 % of the wrong ones; 0 where none is."""
    found, is_right = scores(pairs)
    return 0.0 if is_right.all() else share_needed(found, is_right)[0]


def time_errors(pairs: Iterable[Pair]) -> tuple[list[float], list[float]]:
    """By how many milliseconds the starts, and the ends, of the words that are right are off."""
    both = [(pair.said, pair.heard) for pair in pairs if pair.is_right and pair.said and pair.heard]
    return [1000 * abs(said.start - heard.start) for said, heard in both], [1000 * abs(said.end - heard.end) for said, heard in both]
