"""Conversations made of clips: the sound of a window, and the words in it with their times.

Turns of one to eight digits, each by one speaker, with pauses between turns. Random through the generator given.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from training.digits import sounds
from training.digits.clips import RATE, Clip
from training.digits.sounds import Sound

_LONGEST_TURN = 8
_GAP = (0.0, 0.25)  # seconds between digits of a turn
_PAUSE = 0.4, 1.6  # seconds between turns
_PEAK = 0.99


@dataclass(frozen=True, slots=True)
class Cast:
    """Who may speak: the clips of each voice, and how often it is chosen."""

    clips: Mapping[str, Sequence[Clip]]
    shares: Sequence[float]

    def chosen(self, draw: np.random.Generator, count: int) -> list[str]:
        """So many voices, perhaps one more than once."""
        return [str(voice) for voice in draw.choice(list(self.clips), size=count, p=self.shares)]


def cast_of(clips: Iterable[Clip], rare: Mapping[str, float]) -> Cast:
    """Voices of equal shares, but that all whose name begins with a word of `rare` share what is said there between them."""
    voices: dict[str, list[Clip]] = defaultdict(list)
    for clip in clips:
        voices[clip.speaker].append(clip)
    group = {voice: next((word for word in rare if voice.startswith(word)), "") for voice in voices}
    share = {**rare, "": 1 - sum(rare.values())}
    size = {word: sum(of == word for of in group.values()) for word in share}
    shares = np.array([share[word] / size[word] for word in group.values()])
    return Cast(voices, shares / shares.sum())


@dataclass(frozen=True, slots=True)
class Digit:
    """A digit from `start` to `end` (seconds of the window)."""

    digit: int
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Mixture:
    """A window's sound and its turns, each a run of digits; `cut` is when a digit starts that the window's end cuts off."""

    samples: Sound
    turns: tuple[tuple[Digit, ...], ...]
    cut: float | None = None


def conversation(draw: np.random.Generator, cast: Cast, seconds: float, *, varied: bool, pauses: tuple[float, float] = _PAUSE) -> Mixture:
    """A window of so many seconds, with `pauses` (seconds, from and to) between turns.

    `varied` changes speed, gain, room, line and noise; else clips are joined as they are.
    """
    samples = np.zeros(int(seconds * RATE), dtype=np.float32)
    at = float(draw.uniform(0, 0.3) if draw.random() < 0.6 else draw.uniform(0, min(3.0, seconds / 3)))
    stop = seconds if draw.random() < 0.6 else float(draw.uniform(at + 0.5, seconds))
    may_cut = varied and draw.random() < 0.25
    turns: list[tuple[Digit, ...]] = []
    cut = None
    names = cast.chosen(draw, int(draw.integers(1, 4)))
    while at < stop and cut is None:
        clips = cast.clips[names[draw.integers(len(names))]]
        gain = _gain(draw, -14, 2) if varied else 1.0
        speed = float(draw.uniform(0.85, 1.2)) if varied else 1.0
        turn: list[Digit] = []
        for _ in range(draw.integers(1, _LONGEST_TURN + 1)):
            clip = clips[int(draw.integers(len(clips)))]
            sound = _faster(clip.samples, speed * float(draw.uniform(0.94, 1.06))) if varied else clip.samples
            first, last = int(at * RATE), int(at * RATE) + len(sound)
            if last > len(samples) or (last > stop * RATE and turn):
                if may_cut and last > len(samples) and (len(samples) - first) > RATE // 10:
                    samples[first:] += (sound * gain)[: len(samples) - first]
                    cut = first / RATE
                at = seconds
                break
            samples[first:last] += sound * gain * (_gain(draw, -4, 2) if varied else 1.0)
            turn.append(Digit(clip.digit, first / RATE, last / RATE))
            at = last / RATE + float(draw.uniform(*_GAP))
        if turn:
            turns.append(tuple(turn))
        at += float(draw.uniform(*pauses))
    return Mixture(_disturbed(draw, samples) if varied else samples * 0.5, tuple(turns), cut)


def without_speech(draw: np.random.Generator, seconds: float) -> Mixture:
    """Silence, noise or tones, for all of the time or now and then."""
    count, kind = int(seconds * RATE), draw.random()
    if kind < 0.1:
        sound = np.zeros(count, dtype=np.float32)
    elif kind < 0.6:
        sound = sounds.background(draw, count)
    else:
        sound = sounds.tones(draw, count) + sounds.coloured_noise(draw, count, float(draw.uniform(0, 2))) * _gain(draw, -60, -5)
    if draw.random() < 0.4:
        sound = sound * sounds.bursts(draw, count)
    return Mixture(np.clip(sound * _gain(draw, -60, -12), -_PEAK, _PEAK).astype(np.float32), ())


def _disturbed(draw: np.random.Generator, samples: Sound) -> Sound:
    if draw.random() < 0.3:
        samples = sounds.tilted(draw, samples)
    if draw.random() < 0.2:
        samples = sounds.in_a_room(draw, samples)
    loudness = np.sqrt(np.mean(samples**2) + 1e-12) * 1.5  # pauses are in the mean
    kind = draw.random()
    if kind > 0.3:  # the rest stays as clean as the clips are
        below = draw.uniform(30, 60) if kind < 0.6 else draw.uniform(12, 30) if kind < 0.85 else draw.uniform(3, 12)
        samples = samples + sounds.background(draw, len(samples)) * loudness * 10 ** (-below / 20)
    if draw.random() < 0.15:
        samples = sounds.telephone(samples)
    samples = samples * (_gain(draw, -20, 0) / max(float(np.abs(samples).max()), 1e-4))
    return np.clip(samples, -_PEAK, _PEAK).astype(np.float32)


def _gain(draw: np.random.Generator, least: float, most: float) -> float:
    """A factor of so many decibels."""
    return float(10 ** (draw.uniform(least, most) / 20))


def _faster(samples: Sound, speed: float) -> Sound:
    """Played faster or slower, so higher or lower as well."""
    return np.asarray(np.interp(np.arange(0, len(samples) - 1, speed), np.arange(len(samples)), samples), dtype=np.float32)
