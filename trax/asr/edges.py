"""Word edges by loudness: Whisper's token times leave no gaps, so a pause before or after a word is counted as the word. Pure."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from trax.asr.sound import FRAME, frame_power
from trax.transcript import Word

_QUIET = 10**-2.5  # of the word's loudest 10 ms (25 dB down): a pause, not a weak sound
_MARGIN = 3  # frames left on each side, for the weak sounds that are


def trimmed(word: Word, samples: NDArray[np.float32]) -> Word:
    """The word without the quiet at its edges; its times are seconds from the first of `samples` (shape (n,), 16 kHz)."""
    first = max(0, int(word.start * 100))
    power = frame_power(samples[first * FRAME : max(0, int(word.end * 100)) * FRAME])
    if not len(power):
        return word
    loud = np.flatnonzero(power >= _QUIET * power.max())
    start = max(word.start, (first + int(loud[0]) - _MARGIN) / 100)
    end = min(word.end, (first + int(loud[-1]) + 1 + _MARGIN) / 100)
    return replace(word, start=start, end=max(start, end))
