"""Made-up inputs, given by formula: a model that turns them into what it should is the model it claims to be."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def probe_signal(samples: int = 32_000, rate: int = 16_000) -> NDArray[np.float32]:
    """A hum with vibrato, thirty harmonics and a swelling loudness, with a rising whistle over it; shape (samples,), peak below 0.2."""
    t = np.arange(samples) / rate
    phase = 2 * np.pi * (120 * t + 2 * np.sin(2 * np.pi * 3 * t))
    hum = sum(np.sin(k * phase) / k for k in range(1, 31))
    whistle = np.sin(2 * np.pi * (500 * t + 1500 * t * t))
    return np.asarray((0.06 * hum + 0.02 * whistle) * (0.6 + 0.4 * np.sin(2 * np.pi * 2 * t)), dtype=np.float32)


def probe_mel(frames: int = 160, bands: int = 40) -> NDArray[np.float32]:
    """Mel powers that wander between e^-9 and 1, over the range of speech; shape (frames, bands)."""
    t, m = np.arange(frames)[:, None], np.arange(bands)[None, :]
    level = -4.5 + 2.5 * np.sin(0.13 * t + 0.7 * m) + 1.5 * np.sin(0.031 * t - 0.25 * m) + 0.5 * np.cos(0.9 * t)
    return np.asarray(np.exp(level), dtype=np.float32)
