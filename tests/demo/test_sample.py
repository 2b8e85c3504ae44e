"""The demo's sound is what its answer says."""

from __future__ import annotations

import json
from pathlib import Path

import av
import numpy as np
import pytest

RATE = 16_000
SAMPLE = Path(__file__).resolve().parents[2] / "demo" / "digits.ogg"
ANSWER = json.loads(SAMPLE.with_suffix(".json").read_text())
WORDS = [word for turn in ANSWER["turns"] for word in turn["words"]]


@pytest.fixture(scope="module")
def sound() -> np.ndarray:
    with av.open(str(SAMPLE)) as opened:
        return np.concatenate([frame.to_ndarray()[0] for frame in opened.decode(audio=0)])


def test_two_voices_read_in_turns() -> None:
    assert [turn["speaker"] for turn in ANSWER["turns"]] == ["Roger", "Susan"] * 4
    assert all(4 <= len(turn["words"]) <= 7 for turn in ANSWER["turns"])
    assert all(turn["text"] == " ".join(word["text"] for word in turn["words"]) for turn in ANSWER["turns"])
    assert {word["text"] for word in WORDS} == {"zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"}


def test_every_word_is_heard_when_it_is_said_and_nothing_between(sound: np.ndarray) -> None:
    assert len(sound) / RATE == pytest.approx(ANSWER["duration"], abs=0.001)
    edge = 0.02  # what Vorbis smears
    for word, following in zip(WORDS, [*WORDS[1:], {"start": ANSWER["duration"]}], strict=True):
        said = sound[int(word["start"] * RATE) : int(word["end"] * RATE)]
        after = sound[int((word["end"] + edge) * RATE) : int((following["start"] - edge) * RATE)]
        assert np.abs(said).max() > 0.5, word
        assert np.abs(after).max(initial=0.0) < 0.02, word
