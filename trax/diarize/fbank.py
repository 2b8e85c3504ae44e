"""The front end of WeSpeaker's embeddings: log mel powers of 25 ms every 10 ms, as Kaldi computes them.

The steps are those of `torchaudio.compliance.kaldi.fbank` as pyannote.audio and WeSpeaker call it (dither 0, no energy, `snip_edges`,
window "hamming"): the mean of each frame is taken out, high tones are raised, the spectrum of 512 points falls into triangles on Kaldi's
mel scale. Frame `i` begins at sample `i * HOP`, so that frames can be computed a piece at a time and be the same as in one go.
"""

from __future__ import annotations

import functools
from typing import Final

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE: Final = 16_000
WINDOW: Final = 400
HOP: Final = 160
BANDS: Final = 80

#: Kaldi counts samples as whole numbers of 16 bits.
_SCALE: Final = 1 << 15
_POINTS: Final = 512
_PREEMPHASIS: Final = 0.97
_LOWEST_HZ: Final = 20.0
#: Smaller powers are taken for this one before the logarithm: the epsilon of float32.
_FLOOR: Final = float(np.finfo(np.float32).eps)

_Array = NDArray[np.float32]


def fbank_frames(samples: _Array) -> _Array:
    """Log mel powers of every whole frame in `samples` (full scale: 1.0): shape (1 + (n - WINDOW) // HOP, BANDS), none when n < WINDOW."""
    if samples.size < WINDOW:
        return np.zeros((0, BANDS), np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::HOP] * np.float32(_SCALE)
    frames = frames - frames.mean(axis=1, keepdims=True)
    before = np.concatenate([frames[:, :1], frames[:, :-1]], axis=1)
    spectrum = np.fft.rfft((frames - np.float32(_PREEMPHASIS) * before) * _hamming(), _POINTS, axis=1)
    power = spectrum.real**2 + spectrum.imag**2
    return np.asarray(np.log(np.maximum(power @ _filters(), _FLOOR)), dtype=np.float32)


def centred(fbank: _Array) -> _Array:
    """The frames less their mean over time, which takes the channel out: what the networks are given."""
    return np.asarray(fbank - fbank.mean(axis=0, keepdims=True), dtype=np.float32)


@functools.cache
def _hamming() -> _Array:
    """The symmetric Hamming window."""
    return np.asarray(np.hamming(WINDOW), dtype=np.float32)


@functools.cache
def _filters() -> _Array:
    """Triangles that are straight on Kaldi's mel scale, from 20 Hz to half the sample rate: shape (1 + _POINTS // 2, BANDS)."""
    corners = np.linspace(_mel(_LOWEST_HZ), _mel(SAMPLE_RATE / 2), BANDS + 2)
    mels = _mel(np.arange(1 + _POINTS // 2) * SAMPLE_RATE / _POINTS)[:, None]
    lower, centre, upper = corners[:-2], corners[1:-1], corners[2:]
    rising, falling = (mels - lower) / (centre - lower), (upper - mels) / (upper - centre)
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    triangles[-1] = 0.0  # Kaldi leaves out the highest frequency
    return np.asarray(triangles, dtype=np.float32)


def _mel(hz: float | NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1127.0 * np.log1p(np.asarray(hz) / 700.0))
