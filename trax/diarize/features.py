"""The front end of GE2E: mel powers (no logarithm) of 25 ms every 10 ms, as `librosa.feature.melspectrogram` computes them.

Frame `i` is centred on sample `i * HOP`, so that frames of a recording can be computed a piece at a time and be the same as in one go.
"""

from __future__ import annotations

import functools
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trax.models.mel import mel_filters

SAMPLE_RATE: Final = 16_000
WINDOW: Final = 400
HOP: Final = 160
BANDS: Final = 40

#: Quieter sound is raised to this level (RMS, relative to full scale), as in training; louder sound stays as it is.
TARGET_DBFS: Final = -30.0

_Array = NDArray[np.float32]


def mel_frames(samples: _Array) -> _Array:
    """Mel powers of every whole frame in `samples`: shape (1 + (n - WINDOW) // HOP, BANDS), none when n < WINDOW.

    The frame centred on sample c of a recording needs its samples from c - WINDOW // 2 to c + WINDOW // 2.
    """
    if samples.size < WINDOW:
        return np.zeros((0, BANDS), np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::HOP]
    spectrum = np.fft.rfft(frames * _hann(), axis=1)
    power = spectrum.real**2 + spectrum.imag**2
    return np.asarray(power @ mel_filters(BANDS, WINDOW, SAMPLE_RATE).T, dtype=np.float32)


def mel_spectrogram(signal: _Array) -> _Array:
    """Mel powers of a whole signal with silence around it: shape (1 + n // HOP, BANDS)."""
    return mel_frames(np.pad(signal, WINDOW // 2))


def gain(level: float) -> float:
    """The factor that brings sound of the RMS `level` (1.0: full scale) up to `TARGET_DBFS`; 1.0 for louder sound and for none at all."""
    target = 10.0 ** (TARGET_DBFS / 20)
    return target / level if 0.0 < level < target else 1.0


@functools.cache
def _hann() -> _Array:
    """The periodic Hann window."""
    return np.asarray(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW), dtype=np.float32)
