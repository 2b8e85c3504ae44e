"""Mel filters: which part of each frequency of a spectrum goes to which band."""

from __future__ import annotations

import functools
from typing import Final

import numpy as np
from numpy.typing import NDArray

# Slaney's scale: linear up to 1 kHz (3 mels for 200 Hz), logarithmic above (27 mels for a factor of 6.4).
_LINEAR_HZ: Final = 200.0 / 3.0
_BREAK_HZ: Final = 1000.0
_BREAK_MEL: Final = _BREAK_HZ / _LINEAR_HZ
_LOG_STEP: Final = float(np.log(6.4)) / 27.0


@functools.cache
def mel_filters(bands: int, window: int = 400, sample_rate: int = 16_000) -> NDArray[np.float32]:
    """Triangular filters with equal areas on Slaney's mel scale ("Auditory Toolbox", 1998): shape (bands, 1 + window // 2).

    Those of Whisper (80 bands, or 128 since large-v3) and of GE2E (40), as `librosa.filters.mel` computes them. Not to be written to.
    """
    bins = np.linspace(0.0, sample_rate / 2, 1 + window // 2)
    corners = _mel_to_hz(np.linspace(0.0, _hz_to_mel(sample_rate / 2), bands + 2))
    lower, centre, upper = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    rising, falling = (bins - lower) / (centre - lower), (upper - bins) / (upper - centre)
    return np.asarray(np.maximum(0.0, np.minimum(rising, falling)) * 2.0 / (upper - lower), dtype=np.float32)


def _hz_to_mel(hz: float) -> float:
    return hz / _LINEAR_HZ if hz < _BREAK_HZ else _BREAK_MEL + float(np.log(hz / _BREAK_HZ)) / _LOG_STEP


def _mel_to_hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(mel < _BREAK_MEL, mel * _LINEAR_HZ, _BREAK_HZ * np.exp(_LOG_STEP * (mel - _BREAK_MEL)))
