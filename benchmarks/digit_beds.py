"""Beds to hear digits on: recordings of conversations, of clips that no training heard, in surroundings of one kind.

Windows of thirty seconds are joined to recordings of five minutes: what two passes cost shows only where there is more than a window.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import numpy as np
from digits import conversations, plain
from surroundings import SURROUNDINGS, surrounded

from training.digits.clips import LEFT_OUT, RATE, fsdd
from training.digits.mixtures import Mixture
from training.digits.sounds import Sound
from training.digits.vocabulary import DIGITS
from trax.audio.pcm import Pcm
from trax.transcript import Recognition, Word

#: The bed of the speakers of the training alone, without noise; those of `SURROUNDINGS` have the speaker left out of it as well.
KNOWN = "clean, known speakers"
_WINDOWS_A_RECORDING = 10
_SEED = 23


@dataclass(frozen=True, slots=True)
class Recording:
    """A sound and the words in it, with their times (seconds)."""

    samples: Sound
    said: tuple[Word, ...]


def beds(data: Path, windows: int) -> dict[str, list[Recording]]:
    """So many windows for each bed, by its name: the same conversations in all surroundings, and others of the known speakers."""
    clips = fsdd(data, unseen=True)
    everyone = conversations(clips, windows, varied=False)
    known = conversations([clip for clip in clips if clip.speaker != LEFT_OUT], windows, varied=False)
    return {KNOWN: joined(known, "clean")} | {name: joined(everyone, name) for name in SURROUNDINGS}


def joined(mixtures: Sequence[Mixture], name: str) -> list[Recording]:
    """The windows in these surroundings, as recordings of at most five minutes."""
    draw = np.random.default_rng(_SEED)
    groups = [mixtures[first : first + _WINDOWS_A_RECORDING] for first in range(0, len(mixtures), _WINDOWS_A_RECORDING)]
    return [_recording(group, [surrounded(draw, mixture, name) for mixture in group]) for group in groups]


def words_in(recognition: Recognition) -> tuple[Word, ...]:
    """What was heard, in order of time, with words as they are compared."""
    words = [word for segment in recognition.segments for word in segment.words]
    return tuple(
        Word(plain(word.text), word.start, word.end, word.score) for word in sorted(words, key=lambda word: (word.start, word.end))
    )


@contextmanager
def decoded(recording: Recording) -> Iterator[Pcm]:
    """The recording as the decoder leaves it."""
    with tempfile.TemporaryDirectory(prefix="trax-digits-") as folder:
        path = Path(folder) / "recording.pcm"
        path.write_bytes((recording.samples * np.iinfo(np.int16).max).astype("<i2").tobytes())
        with Pcm(path) as pcm:
            yield pcm


def _recording(mixtures: Sequence[Mixture], sounds: Sequence[Sound]) -> Recording:
    offsets = accumulate((len(sound) / RATE for sound in sounds), initial=0.0)
    said = [
        Word(DIGITS[digit.digit], offset + digit.start, offset + digit.end, 1.0)
        for offset, mixture in zip(offsets, mixtures, strict=False)  # the last offset is the end
        for turn in mixture.turns
        for digit in turn
    ]
    return Recording(np.concatenate(sounds), tuple(said))
