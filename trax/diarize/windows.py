"""Where to listen for a voice: short, overlapping windows over speech."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trax.transcript import Span

#: What GE2E was trained on, in seconds.
LENGTH: Final = 1.6
STEP: Final = 0.4
#: Spans closer than this are listened to as one: a breath is no reason to hear less of a voice.
BRIDGED_GAP: Final = 0.2
#: Shorter speech says too little of who speaks (seconds).
SHORTEST: Final = 0.2

_FRAME = 0.01


def plan_windows(speech: Sequence[Span]) -> NDArray[np.float32]:
    """Windows over speech, in order: shape (n, 2), start and end in seconds, on a grid of 10 ms.

    A stretch of speech gets a window of `LENGTH` every `STEP`, and one that ends where it ends; a shorter stretch gets one window, as short
    as itself. What is under `SHORTEST` gets none.
    """
    windows: list[tuple[int, int]] = []
    length, step = round(LENGTH / _FRAME), round(STEP / _FRAME)
    for stretch in bridge(speech, BRIDGED_GAP):
        first, last = round(stretch.start / _FRAME), round(stretch.end / _FRAME)
        if last - first < round(SHORTEST / _FRAME):
            continue
        starts = list(range(first, last - length + 1, step)) or [first]
        if starts[-1] + length < last:
            starts.append(last - length)
        windows += [(start, min(start + length, last)) for start in starts]
    return (np.array(windows, np.float64).reshape(-1, 2) * _FRAME).astype(np.float32)


def bridge(speech: Sequence[Span], gap: float) -> list[Span]:
    """The spans in order of time, those that touch or are at most `gap` seconds apart made one."""
    joined: list[Span] = []
    for span in sorted(speech, key=lambda span: (span.start, span.end)):
        if joined and span.start - joined[-1].end <= gap:
            joined[-1] = Span(joined[-1].start, max(joined[-1].end, span.end))
        else:
            joined.append(span)
    return joined
