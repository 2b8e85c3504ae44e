"""The front end of GE2E: mel powers (no logarithm) of 25 ms every 10 ms, as `librosa.feature.melspectrogram` computes them.

Frame `i` is centred on sample `i * HOP`, so that frames of a recording can be computed a piece at a time and be the same as in one go.
"""

from __future__ import annotations

import functools
from typing import Final

import numpy as np
from numpy.typing import NDArray

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
    return np.asarray(power @ mel_bank().T, dtype=np.float32)


def mel_spectrogram(signal: _Array) -> _Array:
    """Mel powers of a whole signal with silence around it: shape (1 + n // HOP, BANDS)."""
    return mel_frames(np.pad(signal, WINDOW // 2))


def gain(level: float) -> float:
    """The factor that brings sound of the RMS `level` (1.0: full scale) up to `TARGET_DBFS`; 1.0 for louder sound and for none at all."""
    target = 10.0 ** (TARGET_DBFS / 20)
    return target / level if 0.0 < level < target else 1.0


@functools.cache
def mel_bank() -> _Array:
    """Triangular filters with equal areas on Slaney's mel scale ("Auditory Toolbox", 1998): shape (BANDS, 1 + WINDOW // 2)."""
    bins = np.linspace(0.0, SAMPLE_RATE / 2, 1 + WINDOW // 2)
    corners = _mel_to_hz(np.linspace(0.0, _hz_to_mel(SAMPLE_RATE / 2), BANDS + 2))
    lower, centre, upper = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    rising, falling = (bins - lower) / (centre - lower), (upper - bins) / (upper - centre)
    return np.asarray(np.maximum(0.0, np.minimum(rising, falling)) * 2.0 / (upper - lower), dtype=np.float32)


# Slaney's scale: linear up to 1 kHz (3 mels for 200 Hz), logarithmic above (27 mels for a factor of 6.4).
_LINEAR_HZ: Final = 200.0 / 3.0
_BREAK_HZ: Final = 1000.0
_BREAK_MEL: Final = _BREAK_HZ / _LINEAR_HZ
_LOG_STEP: Final = float(np.log(6.4)) / 27.0


def _hz_to_mel(hz: float) -> float:
    return hz / _LINEAR_HZ if hz < _BREAK_HZ else _BREAK_MEL + float(np.log(hz / _BREAK_HZ)) / _LOG_STEP


def _mel_to_hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(mel < _BREAK_MEL, mel * _LINEAR_HZ, _BREAK_HZ * np.exp(_LOG_STEP * (mel - _BREAK_MEL)))


@functools.cache
def _hann() -> _Array:
    """The periodic Hann window."""
    return np.asarray(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW), dtype=np.float32)
