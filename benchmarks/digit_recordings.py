"""Recordings of spoken digits with known words: turns of several voices, so much silence between them, of clips that no training heard."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from speech_data import REPOSITORY, SAMPLE_RATE, open_wav

sys.path.insert(0, str(REPOSITORY))

from training.digits.clips import LEFT_OUT, fsdd
from training.digits.mixtures import cast_of
from training.digits.vocabulary import DIGITS

#: Shares of silence: of a conversation, and of somebody who hardly breathes.
CONVERSATION, DENSE = 0.35, 0.05
_SEED = 11
_LONGEST_TURN = 8  # digits
_BETWEEN_DIGITS = (0.0, 0.15)  # seconds; part of the speech
_VOLUME, _NOISE = 0.5, 3e-4  # of full scale: no room is quite silent


@dataclass(frozen=True, slots=True)
class Recording:
    """A WAV file and what is said in it."""

    name: str
    file: Path
    seconds: float
    words: tuple[str, ...]


def write_recording(data: Path, name: str, seconds: float, silence: float, folder: Path) -> Recording:
    """Write `NAME.wav` of about so many seconds, of which `silence` (0 to 1) lies between turns. The same bytes each time."""
    draw = np.random.default_rng(_SEED)
    turns, words = _turns(draw, data, seconds * (1 - silence))
    # most pauses between turns are short, a few long: a log-normal distribution is what conversations are known for
    shares = draw.lognormal(0.0, 0.8, len(turns) + 1)
    total = sum(len(turn) for turn in turns) / SAMPLE_RATE * silence / (1 - silence)
    pauses = [np.zeros(round(share * SAMPLE_RATE)) for share in shares / shares.sum() * total]
    sound = np.concatenate([pauses[0], *(piece for turn, pause in zip(turns, pauses[1:], strict=True) for piece in (turn, pause))])
    sound = sound * _VOLUME + draw.normal(0, _NOISE, len(sound))
    file = folder / f"{name}.wav"
    with open_wav(file) as wav:
        wav.writeframes((np.clip(sound, -1, 1) * np.iinfo(np.int16).max).astype("<i2").tobytes())
    return Recording(name, file, len(sound) / SAMPLE_RATE, words)


def _turns(draw: np.random.Generator, data: Path, seconds: float) -> tuple[list[NDArray[np.float32]], tuple[str, ...]]:
    cast = cast_of([clip for clip in fsdd(data, unseen=True) if clip.speaker != LEFT_OUT], {})
    turns, words, left = list[NDArray[np.float32]](), list[str](), int(seconds * SAMPLE_RATE)
    while left > 0:
        clips = cast.clips[cast.chosen(draw, 1)[0]]
        pieces: list[NDArray[np.float32]] = []
        for _ in range(draw.integers(1, _LONGEST_TURN + 1)):
            clip = clips[int(draw.integers(len(clips)))]
            pieces += [clip.samples, np.zeros(int(draw.uniform(*_BETWEEN_DIGITS) * SAMPLE_RATE), np.float32)]
            words.append(DIGITS[clip.digit])
        turns.append(np.concatenate(pieces[:-1]))
        left -= len(turns[-1])
    return turns, tuple(words)
