"""Which language a recording is in, by the vote of several samples of it. Pure.

One sample may be a name, a song or a mumble. Each sample gives its probabilities (as openai/whisper's `detect_language`), and those are
added up: a sample that is sure counts more than one that wavers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TypeVar

#: Samples of a recording that are asked.
SAMPLES = 5

_Sample = TypeVar("_Sample")


def spread(samples: Sequence[_Sample], count: int = SAMPLES) -> tuple[_Sample, ...]:
    """At most `count` of `samples` (in order), evenly from the whole length; all where there are no more."""
    if len(samples) <= count:
        return tuple(samples)
    return tuple(samples[(2 * index + 1) * len(samples) // (2 * count)] for index in range(count))


def voted(votes: Sequence[Mapping[str, float]], allowed: Sequence[str]) -> str:
    """The language with the most probability over all votes; of equals, and without votes, the first in `allowed`.

    The order of the votes makes no difference. `allowed` is not empty; what else the votes name is not counted.
    """
    totals = [math.fsum(vote.get(language, 0.0) for vote in votes) for language in allowed]
    return allowed[totals.index(max(totals))]
