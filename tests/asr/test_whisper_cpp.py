from __future__ import annotations

from pathlib import Path

import jiwer
import numpy as np
import pytest

from trax.asr.engine import Options
from trax.asr.fallback import TEMPERATURES
from trax.asr.whisper import Whisper
from trax.asr.whisper_cpp import Decoding, WhisperCpp
from trax.audio.pcm import SAMPLE_RATE
from trax.errors import ModelError
from trax.transcript import Recognition, Span


def never() -> bool:
    return False


@pytest.fixture(scope="module")
def digits(whisper_model: Path) -> WhisperCpp:
    return WhisperCpp(str(whisper_model))


def test_speech_and_noise_differ_in_whether_anybody_speaks(digits, talk_of_digits):
    talk, _ = talk_of_digits(12)
    heard = digits.hear(talk.astype(np.float32), Decoding("en", "", 1), never)
    assert len(heard.tokens) >= 12
    assert 0 < heard.no_speech < 0.5
    primed = digits.hear(talk.astype(np.float32), Decoding("en", "one, two, three.", 1), never)
    assert primed.no_speech == pytest.approx(heard.no_speech, rel=1e-4)  # it is asked without the prompt


def test_every_decoding_depends_on_its_sound_alone(tiny_ggml, hum):
    """Sampled or not, first or tenth, on one core or two."""
    sound, other = (hum[start * SAMPLE_RATE : (start + 2) * SAMPLE_RATE].astype(np.float32) for start in (0, 20))
    sampled = Decoding("en", "", 1, max_tokens=40, temperature=0.8)
    first = WhisperCpp(str(tiny_ggml)).hear(sound, sampled, never)
    assert first.tokens
    engine = WhisperCpp(str(tiny_ggml))
    for temperature, threads in ((0.8, 1), (0.0, 2), (0.4, 2)):
        engine.hear(other, Decoding("en", "", threads, max_tokens=40, temperature=temperature), never)
    again = engine.hear(sound, Decoding("en", "", 2, max_tokens=40, temperature=0.8), never)
    assert again == first
    assert engine.hear(sound, Decoding("en", "", 1, max_tokens=40), never) != first


def test_the_number_of_tokens_is_bounded(tiny_ggml, hum):
    """A random model never ends by itself."""
    heard = WhisperCpp(str(tiny_ggml)).hear(hum[: 4 * SAMPLE_RATE].astype(np.float32), Decoding("en", "", 1, max_tokens=10), never)
    assert len(heard.tokens) <= 11 * 2


def recognised(model, pcm_of, samples, threads=1) -> Recognition:
    with pcm_of(samples) as pcm:
        return Whisper(model).transcribe(pcm, (Span(0, pcm.duration),), Options("en", threads=threads), lambda _: None, never)


def test_a_bad_window_is_decoded_again_and_the_same_way_each_time(tiny_ggml, whisper_card, pcm_of, hum, monkeypatch):
    tried: list[float] = []
    hear = WhisperCpp.hear

    def counted(self, samples, decoding, is_stopped):
        tried.append(decoding.temperature)
        return hear(self, samples, decoding, is_stopped)

    monkeypatch.setattr(WhisperCpp, "hear", counted)
    samples = hum[: 2 * SAMPLE_RATE]
    first = recognised(whisper_card(tiny_ggml), pcm_of, samples)
    assert tried == [0.0, *TEMPERATURES]
    assert recognised(whisper_card(tiny_ggml), pcm_of, samples, threads=2) == first
    tried.clear()
    recognised(whisper_card(tiny_ggml, temperature_inc=0), pcm_of, samples)
    assert tried == [0.0]


def test_whatever_is_heard_has_evidence_and_what_is_invented_is_set_apart(tiny_ggml, whisper_card, pcm_of, hum):
    recognition = recognised(whisper_card(tiny_ggml, temperature_inc=0), pcm_of, hum[: 2 * SAMPLE_RATE])
    segments = [*recognition.segments, *(each.segment for each in recognition.quarantined)]
    assert segments
    for segment in segments:
        assert segment.evidence is not None
        assert segment.evidence.average_log_probability < 0
        assert 0 < segment.evidence.no_speech <= 1


@pytest.mark.parametrize("seconds", [5, 10, 20])
def test_an_encoder_that_follows_the_window_hears_the_digits_as_well(whisper_model, whisper_card, pcm_of, talk_of_digits, seconds):
    samples = talk_of_digits(30)[0][: seconds * SAMPLE_RATE]
    full, short = (
        recognised(whisper_card(whisper_model, temperature_inc=0, encoder_context=context), pcm_of, samples)
        for context in ("full", "window")
    )
    texts = [" ".join(word.text for segment in each.segments for word in segment.words) for each in (full, short)]
    assert jiwer.wer(*texts) <= 0.1


def test_an_unknown_encoder_context_is_refused(whisper_model, whisper_card):
    with pytest.raises(ModelError, match="encoder_context"):
        Whisper(whisper_card(whisper_model, encoder_context="half"))
