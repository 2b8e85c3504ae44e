"""What is done to a conversation before it is heard: noise at a known ratio, and the telephone."""

from __future__ import annotations

import sys

import numpy as np
from speech_data import REPOSITORY

sys.path.insert(0, str(REPOSITORY))

from training.digits import sounds
from training.digits.mixtures import Mixture
from training.digits.sounds import Sound

_PEAK = 0.99

#: How far the noise lies below the speech, in decibels.
NOISY = {"20 dB": 20.0, "10 dB": 10.0, "5 dB": 5.0}
SURROUNDINGS = ("clean", "telephone", *NOISY)


def with_noise(draw: np.random.Generator, mixture: Mixture, decibels: float) -> Sound:
    """The conversation with some noise or tone so many decibels below it: mean squares over the time in which digits are spoken.

    Louder than a recording can be, it is made quieter as a whole.
    """
    noise = sounds.background(draw, len(mixture.samples))
    spoken = np.zeros(len(mixture.samples), dtype=bool)
    for turn in mixture.turns:
        for digit in turn:
            spoken[int(digit.start * sounds.RATE) : int(digit.end * sounds.RATE)] = True
    speech = float(np.mean(mixture.samples[spoken] ** 2)) if spoken.any() else 1.0
    loud = float(np.mean(noise[spoken] ** 2)) if spoken.any() else 1.0
    mixed = mixture.samples + noise * np.float32(np.sqrt(speech / max(loud, 1e-12)) * 10 ** (-decibels / 20))
    return np.asarray(mixed * min(1.0, _PEAK / max(float(np.abs(mixed).max()), 1e-6)), dtype=np.float32)


def over_telephone(mixture: Mixture) -> Sound:
    """The conversation with nothing below 300 and above 3,400 Hz."""
    return np.clip(sounds.telephone(mixture.samples), -_PEAK, _PEAK)


def surrounded(draw: np.random.Generator, mixture: Mixture, by: str) -> Sound:
    """The conversation in one of the `SURROUNDINGS`."""
    if by in NOISY:
        return with_noise(draw, mixture, NOISY[by])
    return over_telephone(mixture) if by == "telephone" else mixture.samples
