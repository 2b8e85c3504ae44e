"""The threshold of a speaker embedding, learnt from recordings of which it is known who speaks when."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trax.diarize.embed import Embeddings
from trax.diarize.turns import diarize
from trax.errors import ModelError
from trax.transcript import Span, Turn

#: The cosine distances that are tried.
TRIED: Final = tuple(round(0.1 + 0.02 * step, 2) for step in range(36))
#: Thresholds that confuse up to so much more of the speech than the best one are as good as it.
_AS_GOOD: Final = 0.002
_STEP_S: Final = 0.05
_MOST_SPEAKERS: Final = 20


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """A recording that was embedded, and who really speaks when in it."""

    speech: tuple[Span, ...]
    embeddings: Embeddings
    turns: tuple[Turn, ...]


@dataclass(frozen=True, slots=True)
class Calibration:
    """The threshold, and the part of the speech (0 to 1) that is given to the wrong speaker with each that was tried."""

    threshold: float
    confusion: dict[float, float]


def calibrate(recordings: Sequence[Labelled]) -> Calibration:
    """The middle of the thresholds that confuse the least, over all recordings; raises ModelError when there is no speech to learn from."""
    confusion = dict[float, float]()
    for threshold in TRIED:
        wrong = total = 0.0
        for one in recordings:
            found = diarize(one.embeddings, one.speech, min_speakers=1, max_speakers=_MOST_SPEAKERS, threshold=threshold)
            mistaken, spoken = confused(one.turns, found.turns)
            wrong, total = wrong + mistaken, total + spoken
        if not total:
            raise ModelError("In none of the recordings is there speech of one person at a time: nothing can be learnt.")
        confusion[threshold] = round(wrong / total, 6)
    good = [threshold for threshold in TRIED if confusion[threshold] <= min(confusion.values()) + _AS_GOOD]
    return Calibration(round((good[0] + good[-1]) / 2, 3), confusion)


def confused(reference: Sequence[Turn], found: Sequence[Turn]) -> tuple[float, float]:
    """Seconds in which one person speaks and somebody else is named, and in which one person speaks and anybody is named.

    Speakers are paired one with one, those who share the most time first.
    """
    end = max((turn.end for turn in (*reference, *found)), default=0.0)
    wanted, given = _presence(reference, end), _presence(found, end)
    alone = (wanted.sum(axis=0) == 1) & given.any(axis=0)
    shared = (wanted[:, alone].astype(np.float64) @ given[:, alone].T.astype(np.float64)) * _STEP_S
    spoken, right = float(alone.sum()) * _STEP_S, 0.0
    while shared.size and shared.max() > 0:
        one, other = np.unravel_index(shared.argmax(), shared.shape)
        right += float(shared[one, other])
        shared[one], shared[:, other] = 0.0, 0.0
    return spoken - right, spoken


def _presence(turns: Sequence[Turn], end: float) -> NDArray[np.bool_]:
    """Whether each speaker talks at each step: (s, t)."""
    names = sorted({turn.speaker for turn in turns})
    talks = np.zeros((len(names), round(end / _STEP_S) + 1), np.bool_)
    for turn in turns:
        talks[names.index(turn.speaker), round(turn.start / _STEP_S) : round(turn.end / _STEP_S)] = True
    return talks


def read_rttm(path: Path) -> tuple[Turn, ...]:
    """The turns of a NIST RTTM file. Raises ModelError when it is none."""
    try:
        return tuple(_turns(path.read_text(encoding="utf-8").splitlines()))
    except (OSError, ValueError, IndexError) as error:
        raise ModelError(f"The reference cannot be read: {error}.", file=str(path)) from error


def _turns(lines: Iterable[str]) -> Iterable[Turn]:
    for line in lines:
        if line.startswith("SPEAKER "):
            fields = line.split()
            start, duration = float(fields[3]), float(fields[4])
            yield Turn(start, start + duration, fields[7])
