"""Sounds without a word, made by us: silence, noises, tones, and what is nearest to a voice. The same seed gives the same sound."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import cycle

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt
from speech_data import REPOSITORY, SAMPLE_RATE

sys.path.insert(0, str(REPOSITORY))

from training.digits.mixtures import without_speech
from training.digits.sounds import coloured_noise

Sound = NDArray[np.float32]

_SEED = 23
_LOUDNESS_DB = (-45.0, -9.0)  # of the peak
_FORMANTS = ((250, 800), (900, 2300), (2300, 3500))  # Hz
_SYLLABLES = (2.5, 7.0)  # a second


@dataclass(frozen=True, slots=True)
class Piece:
    """A sound of one kind, shape (n,), in [-1, 1]."""

    kind: str
    samples: Sound


def pieces(seconds: float, each: tuple[float, float] = (4.0, 20.0)) -> Iterator[Piece]:
    """Sounds of all kinds in turn, so many seconds in all, one after the other; `each` bounds the seconds of a piece."""
    draw, left = np.random.default_rng(_SEED), round(seconds * SAMPLE_RATE)
    for kind in cycle(KINDS):
        sound = KINDS[kind](draw, round(draw.uniform(*each) * SAMPLE_RATE))[:left]
        peak = max(float(np.abs(sound).max()), 1e-9)
        yield Piece(kind, (sound * (10 ** (draw.uniform(*_LOUDNESS_DB) / 20) / peak)).astype(np.float32))
        left -= len(sound)
        if not left:
            return


def _silence(_: np.random.Generator, count: int) -> Sound:
    return np.zeros(count, np.float32)


def _noise(draw: np.random.Generator, count: int) -> Sound:
    return coloured_noise(draw, count, float(draw.uniform(0, 2)))


def _as_in_training(draw: np.random.Generator, count: int) -> Sound:
    return without_speech(draw, count / SAMPLE_RATE).samples


def _hum(draw: np.random.Generator, count: int) -> Sound:
    """The mains and their harmonics, over a little hiss."""
    base = float(draw.choice([50.0, 60.0]))
    overtones = sum(draw.uniform(0, 1) / order * np.sin(2 * np.pi * base * order * _time(count)) for order in range(1, 12))
    return np.asarray(overtones + 0.02 * draw.standard_normal(count), np.float32)


def _clicks(draw: np.random.Generator, count: int) -> Sound:
    """A keyboard or a mouse: very short bursts, now and then in a row."""
    return _bursts(draw, count, rate=float(draw.uniform(1, 8)), decay_s=(0.001, 0.006), band=(800, 7000))


def _clapping(draw: np.random.Generator, count: int) -> Sound:
    """Hands: one pair at first, then many."""
    alone, many = (_bursts(draw, count, rate=rate, decay_s=(0.008, 0.03), band=(500, 4000)) for rate in (3.0, 30.0))
    return np.asarray(alone + many * np.linspace(0, 1, count), np.float32)


def _knocks(draw: np.random.Generator, count: int) -> Sound:
    """Doors, steps, cups on a table: low, with an echo."""
    return _bursts(draw, count, rate=float(draw.uniform(0.5, 3)), decay_s=(0.03, 0.12), band=(60, 600))


def _music(draw: np.random.Generator, count: int) -> Sound:
    """Struck chords of three notes with harmonics, in a steady beat."""
    sound, beat = np.zeros(count), round(SAMPLE_RATE * draw.uniform(0.25, 0.8))
    for start in range(0, count, beat):
        time = _time(min(4 * beat, count - start))
        root = 110.0 * 2 ** (draw.integers(0, 24) / 12)
        for step in (0, draw.choice([3, 4]), 7):
            note = sum(np.sin(2 * np.pi * root * 2 ** (step / 12) * order * time) / order**1.5 for order in range(1, 6))
            sound[start : start + len(time)] += note * np.exp(-3 * time) * np.minimum(time / 0.01, 1)
    return sound.astype(np.float32)


def _babble(draw: np.random.Generator, count: int) -> Sound:
    """A crowd far away: noise in the bands of the formants, each swelling at the pace of syllables."""
    crowd = sum(_swelling(draw, _band(draw.standard_normal(count), band)) for band in _FORMANTS for _ in range(3))
    return np.asarray(crowd, np.float32)


def _buzz(draw: np.random.Generator, count: int) -> Sound:
    """A voice that says nothing: a pitch that wanders, its harmonics in bands that swell; as of a pump, or of somebody who hums."""
    turns = np.arange(0, count / SAMPLE_RATE + 0.7, 0.7)  # seconds
    pitch = np.interp(_time(count), turns, draw.uniform(90, 240, len(turns)))
    pulses = np.sin(np.cumsum(2 * np.pi * pitch / SAMPLE_RATE)) ** 15
    return np.asarray(sum(_swelling(draw, _band(pulses, band)) for band in _FORMANTS), np.float32)


def _swelling(draw: np.random.Generator, sound: NDArray[np.float64]) -> NDArray[np.float64]:
    pace, phase = draw.uniform(*_SYLLABLES), draw.uniform(0, 2 * np.pi)
    return np.asarray(sound * (1 + np.sin(2 * np.pi * pace * _time(len(sound)) + phase)) / 2)


def _bursts(
    draw: np.random.Generator, count: int, *, rate: float, decay_s: tuple[float, float], band: tuple[float, float]
) -> NDArray[np.float32]:
    """Noise that dies away after each of `rate` strokes a second, at random times."""
    sound = np.zeros(count)
    for start in draw.integers(0, count, max(1, draw.poisson(rate * count / SAMPLE_RATE))):
        time = _time(min(count - int(start), SAMPLE_RATE // 2))
        sound[start : start + len(time)] += draw.uniform(0.2, 1) * draw.standard_normal(len(time)) * np.exp(-time / draw.uniform(*decay_s))
    return _band(sound, band).astype(np.float32)


def _band(sound: NDArray[np.float64], band: tuple[float, float]) -> NDArray[np.float64]:
    return np.asarray(sosfilt(butter(2, band, "bandpass", fs=SAMPLE_RATE, output="sos"), sound))


def _time(count: int) -> NDArray[np.float64]:
    return np.arange(count) / SAMPLE_RATE


#: What makes so many samples of each kind, at any loudness.
KINDS: Mapping[str, Callable[[np.random.Generator, int], Sound]] = {
    "silence": _silence,
    "noise": _noise,
    "noises and tones as in training": _as_in_training,
    "hum": _hum,
    "clicks": _clicks,
    "clapping": _clapping,
    "knocks": _knocks,
    "music": _music,
    "babble": _babble,
    "a voice without words": _buzz,
}
