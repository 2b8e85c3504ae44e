"""Short recordings with speech, all different, without any data set: pieces of the tests' conversation."""

from __future__ import annotations

import random
from functools import cache
from pathlib import Path

from speech_data import REPOSITORY, SAMPLE_RATE, Samples, open_wav, read_audio

CONVERSATION = REPOSITORY / "tests" / "speech" / "conversation.ogg"


@cache
def _conversation() -> Samples:
    return read_audio(CONVERSATION)


def speech_clips(folder: Path, count: int, *, seed: int = 1, seconds: tuple[float, float] = (1.5, 3.0)) -> tuple[Path, ...]:
    """Write `count` WAV files (`clip-0000.wav` …) of pieces of the conversation; every one has bytes of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    samples, randomness = _conversation(), random.Random(seed)
    paths = tuple(folder / f"clip-{number:04}.wav" for number in range(count))
    for number, path in enumerate(paths):
        length = round(randomness.uniform(*seconds) * SAMPLE_RATE)
        first = randomness.randrange(len(samples) - length)
        with open_wav(path) as writer:
            # silence of another length each: two pieces could begin and end alike
            writer.writeframes(samples[first : first + length].tobytes() + bytes(2 * (number + 1)))
    return paths
