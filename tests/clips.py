"""Joins clips of single words into one recording."""

from __future__ import annotations

import wave
from collections.abc import Sequence
from pathlib import Path

RATE = 8000  # of the Free Spoken Digit Dataset


def join(clips: Sequence[Path], target: Path, *, pause_every: int = 8) -> None:
    """Write the clips one after the other: a third of a second of silence around each, a second more after every `pause_every`-th."""
    with wave.open(str(target), "wb") as joined:
        joined.setparams((1, 2, RATE, 0, "NONE", ""))
        for number, clip in enumerate(clips, 1):
            with wave.open(str(clip), "rb") as source:
                assert (source.getnchannels(), source.getsampwidth(), source.getframerate()) == (1, 2, RATE)
                joined.writeframes(bytes(2 * (RATE // 3)) + source.readframes(source.getnframes()))
            joined.writeframes(bytes(0 if number % pause_every else 2 * RATE))
        joined.writeframes(bytes(2 * (RATE // 3)))
