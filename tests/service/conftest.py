"""Speech without any data set (a synthetic conversation, cut by turns), and the real daemon over roots of its own."""

from __future__ import annotations

import json
import wave
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import pytest
from rig import CONVERSATION, QUICK, RATE, Traxd

Cut = Callable[..., Path]


@pytest.fixture(scope="session")
def conversation_samples() -> bytes:
    """The conversation as 16-bit mono samples at 16 kHz."""
    pieces = []
    resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
    with av.open(str(CONVERSATION)) as source:
        for frame in source.decode(audio=0):
            pieces += [part.to_ndarray().tobytes() for part in resampler.resample(frame)]
    return b"".join(pieces)


@pytest.fixture(scope="session")
def cut(conversation_samples: bytes, tmp_path_factory: pytest.TempPathFactory) -> Cut:
    """A WAV file of the conversation from `first` to `last` seconds; `variant` samples of silence more make its bytes its own."""
    folder = tmp_path_factory.mktemp("cut")

    def make(first: float, last: float, variant: int = 0) -> Path:
        path = folder / f"{first}-{last}-{variant}.wav"
        with wave.open(str(path), "wb") as target:
            target.setparams((1, 2, RATE, 0, "NONE", ""))
            target.writeframes(conversation_samples[2 * round(first * RATE) : 2 * round(last * RATE)] + bytes(2 * variant))
        return path

    return make


@pytest.fixture(scope="session")
def turn(cut: Cut) -> Callable[..., Path]:
    """A WAV file of one turn of the conversation, 2 to 5 seconds long."""
    turns = json.loads(CONVERSATION.with_suffix(".json").read_text())["turns"]
    return lambda number, variant=0: cut(turns[number]["start"] - 0.2, turns[number]["end"] + 0.2, variant)


@pytest.fixture(scope="session")
def traxd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traxd]:
    """One daemon that tests share where they do not disturb one another: each drops names of its own."""
    with Traxd(tmp_path_factory.mktemp("shared"), QUICK) as running:
        yield running
