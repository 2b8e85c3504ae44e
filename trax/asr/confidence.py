"""From the tokens' probabilities to the probability that a word is right. Pure.

Logistic regression on a few features of the word and what is around it (Platt's scaling, with more than one feature): a model's own
probabilities are too sure of themselves in noise. The weights are fitted on words whose truth is known (benchmarks/calibration.py) and
stand in the model's settings as `calibration`. A model without them has its mean token probability passed on as it is, which is what other
tools show as confidence: nobody has measured how true it is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from trax.asr.evidence import duration_anomaly
from trax.errors import ModelError
from trax.transcript import Evidence, Word

_LEAST = 1e-4  # probabilities and scores are kept between this and 1 - this: nothing is certain
_LARGEST_WEIGHT = 100.0
_MAY_BE_NEGATIVE = frozenset({"intercept", "oddness"})


@dataclass(frozen=True, slots=True)
class Features:
    """What a word's score is computed from: none but `oddness` is less for a more probable word.

    `own` is the word's mean token probability and `beside` that of the less probable of the two words beside it in the segment (its own
    where there is none), both as log-odds; `segment` is the average log-probability of its segment; `oddness` tells whether it lasts so
    short or so long as words seldom do (`duration_anomaly`).
    """

    own: float
    beside: float
    segment: float
    oddness: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """The weight of each feature, and what is added. By default a word's score is its mean token probability.

    The weights of probabilities are not negative, so that a more probable word never scores less.
    """

    intercept: float = 0.0
    own: float = 1.0
    beside: float = 0.0
    segment: float = 0.0
    oddness: float = 0.0

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Calibration:
        """From a model's settings: its `calibration`, a number for every name above. Raises ModelError when it is not that."""
        plain = settings.get("calibration")
        if plain is None:
            return cls()
        names = [field.name for field in fields(cls)]
        if not isinstance(plain, Mapping) or set(plain) != set(names):
            raise ModelError(f"The model's setting `calibration` must have exactly {', '.join(names)}.")
        for name, value in plain.items():
            if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= _LARGEST_WEIGHT:
                raise ModelError(f"The model's setting `calibration.{name}` must be a number from -100 to 100, not {value!r}.")
            if value < 0 and name not in _MAY_BE_NEGATIVE:
                raise ModelError(f"The model's setting `calibration.{name}` must not be negative: a more probable word would score less.")
        return cls(**{name: float(value) for name, value in plain.items()})

    def to_plain(self) -> dict[str, float]:
        """As in a model's settings."""
        return asdict(self)

    def score(self, features: Features) -> float:
        """The probability that the word is right, strictly between 0 and 1."""
        odds = (
            self.intercept
            + self.own * features.own
            + self.beside * features.beside
            + self.segment * features.segment
            + self.oddness * features.oddness
        )
        return _kept(_logistic(odds))


def calibrated(words: Sequence[Word], evidence: Evidence, calibration: Calibration) -> tuple[Word, ...]:
    """The words of a segment, each scored by the mean probability of its tokens (see `words_of`), with calibrated scores instead."""
    return tuple(
        replace(word, score=calibration.score(features)) for word, features in zip(words, features_of(words, evidence), strict=True)
    )


def features_of(words: Sequence[Word], evidence: Evidence) -> tuple[Features, ...]:
    """The features of each word of a segment; words as for `calibrated`."""
    found = []
    for index, word in enumerate(words):
        beside = [words[other].score for other in (index - 1, index + 1) if 0 <= other < len(words)]
        found.append(
            Features(
                own=_log_odds(word.score),
                beside=_log_odds(min(beside, default=word.score)),
                segment=evidence.average_log_probability,
                oddness=duration_anomaly(word),
            )
        )
    return tuple(found)


def _kept(probability: float) -> float:
    return min(1 - _LEAST, max(_LEAST, probability))


def _log_odds(probability: float) -> float:
    kept = _kept(probability)
    return math.log(kept / (1 - kept))


def _logistic(odds: float) -> float:
    return 1 / (1 + math.exp(-odds)) if odds > 0 else math.exp(odds) / (1 + math.exp(odds))
