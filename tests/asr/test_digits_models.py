"""The digits models that ship with Trax: what they hear, and that they hear nothing where nobody speaks."""

from __future__ import annotations

import json
from collections.abc import Callable

import digits
import jiwer
import numpy as np
import pytest
from speech_data import REPOSITORY, data_folder, read_audio

from training.digits.mixtures import Mixture
from trax.asr.whisper import Whisper
from trax.shipped import shipped

DEMO = REPOSITORY / "demo"
#: Word error rates (percent) on clips unseen in training that they stay below, with room for other processors' rounding. What they should
#: reach, and do on more clips, is for the goals of benchmarks/digits.py to say.
HIGHEST = {"digits": 3.0, "digits-fast": 10.0}

pytestmark = pytest.mark.parametrize("name", digits.MODELS)


@pytest.fixture(scope="module")
def engine() -> Callable[[str], Whisper]:
    loaded: dict[str, Whisper] = {}

    def load(name: str) -> Whisper:
        if name not in loaded:
            loaded[name] = digits.load(shipped("models") / digits.MODELS[name])
        return loaded[name]

    return load


def test_it_hears_what_two_voices_read_to_one_another(engine, name):
    turns = json.loads((DEMO / "digits.json").read_bytes())["turns"]
    samples = read_audio(DEMO / "digits.ogg") / 32768
    heard = digits.heard(engine(name), Mixture(samples.astype(np.float32), ()))
    assert jiwer.wer(" ".join(turn["text"] for turn in turns), " ".join(heard)) <= 0.05


def test_it_hears_no_words_in_silence_noises_and_tones(engine, name):
    assert [list(digits.heard(engine(name), mixture)) for mixture in digits.without_words(12)] == [[]] * 12


def test_it_hears_clips_that_no_training_heard(engine, name):
    if not (data_folder() / "fsdd").is_dir():
        pytest.skip(f"no speech data in {data_folder()}: set TRAX_DATA")
    known = digits.beds(data_folder(), 12)[0]
    assert digits.word_error_rate(engine(name), known.mixtures) <= HIGHEST[name]
