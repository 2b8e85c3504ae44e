"""The sound of a window, and where speech without a pause is best cut."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trax.asr.windows import Quietest, Window
from trax.audio.pcm import SAMPLE_RATE, Pcm

#: Samples of 10 ms.
FRAME = SAMPLE_RATE // 100
_SMOOTHED_FRAMES = 15  # 150 ms: longer than the closure of a stop consonant, so that no word is cut at its p, t or k


def samples_of(pcm: Pcm, window: Window) -> NDArray[np.float32]:
    """What an engine hears of a window, shape (n,), in [-1, 1]."""
    return np.concatenate([pcm.read(piece.start, piece.end) for piece in window.pieces])


def frame_power(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mean square of every whole 10 ms of `samples` (shape (n,)): shape (n // FRAME,)."""
    frames = len(samples) // FRAME
    return np.asarray(np.mean(np.square(samples[: frames * FRAME].reshape(frames, FRAME)), axis=1))


def quietest_in(pcm: Pcm) -> Quietest:
    """A function that finds the middle of the quietest 150 ms between two times of the recording."""

    def quietest(start: float, end: float) -> float:
        samples = pcm.read(start, end)
        power = frame_power(samples)
        if len(power) < _SMOOTHED_FRAMES:
            return end
        smooth = np.convolve(power, np.ones(_SMOOTHED_FRAMES), mode="valid")
        return start + (int(np.argmin(smooth)) + _SMOOTHED_FRAMES / 2) * FRAME / SAMPLE_RATE

    return quietest
