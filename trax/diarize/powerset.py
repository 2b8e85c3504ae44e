"""What a segmentation network says, as who speaks: pyannote's powerset classes and plain scores of speakers. Pure.

A powerset class stands for a set of speakers who talk at once: nobody, each alone, each pair, … in the order in which pyannote.audio counts
them (Plaquet & Bredin, "Powerset multi-class cross entropy loss for neural speaker diarization", Interspeech 2023; the class `Powerset` in
`pyannote/audio/utils/powerset.py`).
"""

from __future__ import annotations

import itertools
import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

#: A speaker scored above this talks, where speakers are scored one by one.
ONSET: Final = 0.5


def powerset(speakers: int, at_once: int) -> NDArray[np.bool_]:
    """Who talks in each class: shape (classes, speakers), sets of up to `at_once`, the smaller first, each size in lexical order."""
    sets = [each for size in range(at_once + 1) for each in itertools.combinations(range(speakers), size)]
    mapping = np.zeros((len(sets), speakers), np.bool_)
    for number, members in enumerate(sets):
        mapping[number, list(members)] = True
    return mapping


def classes(speakers: int, at_once: int) -> int:
    """How many sets there are."""
    return sum(math.comb(speakers, size) for size in range(at_once + 1))


def who_talks(scores: NDArray[np.floating[Any]], speakers: int, at_once: int | None) -> NDArray[np.bool_]:
    """Who talks in each frame: (…, speakers).

    Args:
        scores: (…, classes), of which the highest holds; or (…, speakers), of which each above `ONSET` does.
        speakers: how many a window can have.
        at_once: how many of them a class can have; None where the scores are of speakers.
    """
    if at_once is None:
        return np.asarray(scores > ONSET)
    return np.asarray(powerset(speakers, at_once)[scores.argmax(axis=-1)])
