from __future__ import annotations

import itertools

import av
import jiwer
import numpy as np
import pytest
from attacks.clips import speech_clips
from speech_data import read_audio

from trax.asr.engine import Options
from trax.asr.load import load_engine
from trax.audio.pcm import SAMPLE_RATE
from trax.errors import Cancelled, ModelError
from trax.models.model import Model
from trax.transcript import Span

MODEL = Model("pocketsphinx-en-us", "asr", "pocketsphinx", None, None, "5", "open", ("en",), "BSD-2-Clause", "pocketsphinx", 30_000_000)
UTTERANCE = "librispeech/test-other/1688-142285-0001.flac"
SAID = (
    "margaret said mister hale as he returned from showing his guest downstairs i could not help watching your face with some anxiety "
    "when mister thornton made his confession of having been a shop boy"
)


@pytest.fixture(scope="module")
def engine():
    return load_engine(MODEL)


@pytest.fixture(scope="module")
def voice(sample) -> np.ndarray:
    with av.open(str(sample(UTTERANCE))) as source:
        return np.concatenate([frame.to_ndarray()[0] for frame in source.decode(audio=0)]) / 32768


def transcribe(engine, pcm, speech, *, language="en", on_progress=lambda _: None, is_cancelled=lambda: False):
    return engine.transcribe(pcm, speech, Options(language), on_progress, is_cancelled)


def test_real_words(engine, voice, pcm_of):
    length = len(voice) / SAMPLE_RATE
    speech = (Span(2, 2 + length),)
    seen: list[float] = []
    with pcm_of(np.concatenate([np.zeros(2 * SAMPLE_RATE), voice])) as pcm:
        recognition = transcribe(engine, pcm, speech, on_progress=seen.append)
        assert transcribe(engine, pcm, speech) == recognition  # nothing is kept from one recording to the next
    words = [word for segment in recognition.segments for word in segment.words]
    assert jiwer.wer(SAID, " ".join(word.text for word in words)) < 0.6
    assert words[0].start == pytest.approx(2, abs=0.6)
    assert words[-1].end == pytest.approx(2 + length, abs=0.6)
    assert all(word.text.islower() or "'" in word.text for word in words)
    assert all(0 <= word.score <= 1 and 2 <= word.start < word.end <= pcm.duration for word in words)
    assert min(word.score for word in words) < 0.9 < max(word.score for word in words)
    for before, after in itertools.pairwise(words):
        assert before.end <= after.start + 1e-6
    assert recognition.language == "en"
    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(1.0)


def test_what_was_heard_before_changes_not_even_a_score(engine, pcm_of, tmp_path):
    def heard(by, clip):
        samples = read_audio(clip) / 32768
        with pcm_of(samples) as pcm:
            return transcribe(by, pcm, (Span(0, len(samples) / SAMPLE_RATE),))

    clips = speech_clips(tmp_path, 14)
    after_others = [heard(engine, clip) for clip in clips]
    for number in (12, 13):  # the ones of these that differed
        assert heard(load_engine(MODEL), clips[number]) == after_others[number]


def test_cancelled_between_windows(engine, pcm_of, hum):
    answers = iter([False, True])
    with pcm_of(hum) as pcm, pytest.raises(Cancelled):
        transcribe(engine, pcm, (Span(0, 1), Span(9, 18.5)), is_cancelled=lambda: next(answers))


def test_no_speech_no_words(engine, pcm_of):
    with pcm_of(np.zeros(SAMPLE_RATE)) as pcm:
        assert transcribe(engine, pcm, ()).segments == ()
        assert transcribe(engine, pcm, (Span(0.2, 0.21),)).segments == ()


def test_english_only(engine, pcm_of, hum):
    with pcm_of(hum) as pcm, pytest.raises(ModelError, match="English only"):
        transcribe(engine, pcm, (Span(0, 1),), language="de")


def test_other_models_are_no_engine():
    with pytest.raises(ModelError, match="does not turn speech into words"):
        load_engine(Model("ge2e", "embedding", "ge2e", __file__, None, "1", "open", ("*",), "", "", 1))
