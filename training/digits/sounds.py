"""Sounds that are not speech, and what rooms and lines do to speech. All at 16 kHz, float32; random through the generator given."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft
from scipy.signal import butter, fftconvolve, sosfilt

RATE = 16_000
Sound = NDArray[np.float32]


def coloured_noise(draw: np.random.Generator, count: int, slope: float) -> Sound:
    """Noise whose power falls with frequency to the power `slope` (0: white, 1: pink, 2: brown), of mean square 1."""
    quick = next_fast_len(count, real=True)
    spectrum = rfft(draw.standard_normal(quick, dtype=np.float32))
    frequency = np.maximum(np.fft.rfftfreq(quick), 20 / RATE).astype(np.float32)
    noise = irfft(spectrum * frequency ** np.float32(-slope / 2), quick)[:count]
    return np.asarray(noise / np.sqrt(np.mean(noise**2) + 1e-12), dtype=np.float32)


def tones(draw: np.random.Generator, count: int) -> Sound:
    """A hum, a beep, a chord or a sweep, of mean square 1."""
    time = np.arange(count) / RATE
    base = float(np.exp(draw.uniform(np.log(50), np.log(3000))))
    partials = [base * ratio for ratio in draw.choice([1, 1.25, 1.5, 2, 3, 4, 5], size=draw.integers(1, 5), replace=False)]
    sweep = draw.uniform(0, 200) if draw.random() < 0.3 else 0.0
    sound = sum(np.sin(2 * np.pi * (partial + sweep * time / 2) * time + draw.uniform(0, 6)) for partial in partials)
    if draw.random() < 0.5:  # beeps or notes rather than one long sound
        sound = sound * (np.sin(2 * np.pi * draw.uniform(0.3, 4) * time + draw.uniform(0, 6)) > draw.uniform(-0.5, 0.7))
    return np.asarray(sound / np.sqrt(np.mean(sound**2) + 1e-9), dtype=np.float32)


def background(draw: np.random.Generator, count: int) -> Sound:
    """Some noise or tone of mean square 1, swelling and fading now and then."""
    sound = tones(draw, count) if draw.random() < 0.15 else coloured_noise(draw, count, float(draw.uniform(0, 2)))
    if draw.random() < 0.3:
        swell = np.interp(np.arange(count), np.linspace(0, count, 8), draw.uniform(0.2, 1.5, 8))
        return (sound * swell).astype(np.float32)
    return sound


def bursts(draw: np.random.Generator, count: int) -> Sound:
    """1 now and then, for as long as a word or a sentence, and else 0: what a sound is multiplied with to come and go."""
    lengths = draw.uniform(0.15, float(draw.uniform(0.5, 4)), size=count // (RATE // 10))
    edges = np.cumsum(lengths * RATE).astype(int)
    return (np.searchsorted(edges, np.arange(count), side="right") % 2).astype(np.float32)


def telephone(sound: Sound) -> Sound:
    """Only 300 to 3,400 Hz."""
    band = butter(4, [300, 3400], btype="bandpass", fs=RATE, output="sos")
    return np.asarray(sosfilt(band, sound), dtype=np.float32)


def tilted(draw: np.random.Generator, sound: Sound) -> Sound:
    """A microphone that favours low or high frequencies."""
    tilt = float(draw.uniform(-0.4, 0.7))
    coloured = np.empty_like(sound)
    coloured[0], coloured[1:] = sound[0], sound[1:] - tilt * sound[:-1]
    return coloured


def in_a_room(draw: np.random.Generator, sound: Sound) -> Sound:
    """With the echo of a small room: noise that decays by 60 dB within 0.1 to 0.4 s."""
    seconds = float(draw.uniform(0.1, 0.4))
    time = np.arange(int(seconds * RATE)) / RATE
    echo = draw.standard_normal(len(time)) * np.exp(-6.9 * time / seconds) * draw.uniform(0.02, 0.08)
    echo[0] = 1
    return np.asarray(fftconvolve(sound, echo)[: len(sound)], dtype=np.float32)
