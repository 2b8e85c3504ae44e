from __future__ import annotations

import itertools
import re
import threading
import time

import jiwer
import numpy as np
import pytest

from trax.asr.engine import Options
from trax.asr.load import load_engine
from trax.asr.whisper import Whisper
from trax.audio.pcm import SAMPLE_RATE
from trax.errors import Cancelled, ModelError
from trax.transcript import Span

SPEECH = (Span(1.0, 12.0), Span(12.5, 20.0), Span(25.0, 39.0))
DIGITS = {"window_seconds": 6.0, "temperature_inc": 0.0}


def transcribe(
    engine, pcm, speech=SPEECH, *, language="en", vocabulary=(), threads=1, on_progress=lambda _: None, is_cancelled=lambda: False
):
    return engine.transcribe(pcm, speech, Options(language, vocabulary, threads), on_progress, is_cancelled)


@pytest.fixture(scope="module")
def engine(tiny_ggml, whisper_card):
    return load_engine(whisper_card(tiny_ggml, window_seconds=10.0, temperature_inc=0.0))


def test_words_lie_in_the_speech_in_order_with_probabilities(engine, pcm_of, hum):
    seen: list[float] = []
    with pcm_of(hum) as pcm:
        recognition = transcribe(engine, pcm, on_progress=seen.append)
    words = [word for segment in recognition.segments for word in segment.words]
    assert words
    for word in words:
        assert re.match(r"word\d+", word.text)
        assert any(span.start - 1e-6 <= word.start <= word.end <= span.end + 1e-6 for span in (Span(1, 20), SPEECH[2])), word
        assert 0 <= word.score <= 1
    for segment in recognition.segments:
        assert segment.words
        assert segment.start == segment.words[0].start
    assert [s.start for s in recognition.segments] == sorted(s.start for s in recognition.segments)
    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(1.0)
    assert len(seen) >= 4  # windows of ten seconds at most


def test_the_result_depends_neither_on_threads_nor_on_what_was_heard_before(engine, pcm_of, hum):
    with pcm_of(hum) as pcm:
        first = transcribe(engine, pcm)
        assert transcribe(engine, pcm, SPEECH[2:]).segments == tuple(s for s in first.segments if s.start >= SPEECH[2].start)
        short = (Span(3, 6),)
        assert transcribe(engine, pcm, short, threads=2) == transcribe(engine, pcm, short)


def test_the_vocabulary_is_heard(engine, pcm_of, hum):
    with pcm_of(hum) as pcm:
        plain, primed = (transcribe(engine, pcm, vocabulary=words) for words in ((), ("word7", "word9")))
        assert primed.segments != plain.segments
        assert transcribe(engine, pcm).segments == plain.segments  # and forgotten again


def test_full_windows_of_thirty_seconds(tiny_ggml, whisper_card, pcm_of, hum):
    engine = load_engine(whisper_card(tiny_ggml, temperature_inc=0.0))
    seen: list[float] = []
    with pcm_of(hum) as pcm:
        recognition = transcribe(engine, pcm, (Span(0, 40),), on_progress=seen.append)
    assert len(seen) == 2
    assert recognition.segments


def test_cancel_before_and_within_a_window(tiny_ggml, whisper_card, pcm_of, hum):
    engine = load_engine(whisper_card(tiny_ggml))
    with pcm_of(hum) as pcm:
        with pytest.raises(Cancelled):
            transcribe(engine, pcm, is_cancelled=lambda: True)
        asked = itertools.count()
        with pytest.raises(Cancelled):
            transcribe(engine, pcm, (Span(0, 30),), is_cancelled=lambda: next(asked) > 3)  # one window: the fourth time is inside it
        assert transcribe(engine, pcm, (Span(0, 2),)).language == "en"  # and the engine is as good as before


def test_python_goes_on_while_whisper_works(engine, pcm_of, hum):
    ticks, done = [], threading.Event()

    def tick() -> None:
        while not done.wait(0.005):
            ticks.append(time.monotonic())

    clock = threading.Thread(target=tick)
    clock.start()
    with pcm_of(hum) as pcm:
        transcribe(engine, pcm)
    done.set()
    clock.join()
    assert len(ticks) > 5


def test_no_speech_no_words(engine, pcm_of):
    with pcm_of(np.zeros(SAMPLE_RATE)) as pcm:
        assert transcribe(engine, pcm, ()).segments == ()


def test_very_short_speech_is_no_trouble(engine, pcm_of, hum):
    with pcm_of(hum) as pcm:
        for segment in transcribe(engine, pcm, (Span(3.0, 3.05),)).segments:
            assert 3.0 - 1e-6 <= segment.start <= segment.end <= 3.05 + 1e-6


def test_an_english_model_knows_no_french(engine, pcm_of, hum):
    with pcm_of(hum) as pcm:
        with pytest.raises(ModelError, match="fr"):
            transcribe(engine, pcm, language="fr")
        assert transcribe(engine, pcm, (Span(0, 2),), language="auto").language == "en"


def test_whisper_is_quiet(tiny_ggml, whisper_card, pcm_of, hum, capfd):
    with pcm_of(hum) as pcm:
        transcribe(load_engine(whisper_card(tiny_ggml)), pcm, (Span(0, 2),))
    captured = capfd.readouterr()
    assert captured.out == ""
    assert captured.err == ""


def test_a_missing_model(tiny_ggml, whisper_card, tmp_path):
    copy = tmp_path / "gone.bin"
    copy.write_bytes(b"")
    model = whisper_card(copy)
    copy.unlink()
    with pytest.raises(ModelError, match=r"gone\.bin.*no longer there.*trax-ctl retry"):
        load_engine(model)


@pytest.mark.parametrize("kept", [0, 20, 48, 1000, 70_000, 800_000, 5_000_000, -70_000, -1])
def test_a_model_cut_short_is_refused(tiny_ggml, whisper_card, tmp_path, kept):
    cut = tmp_path / "cut.bin"
    cut.write_bytes(tiny_ggml.read_bytes()[:kept])
    with pytest.raises(ModelError):
        load_engine(whisper_card(cut))


def test_a_damaged_model_is_refused(tiny_ggml, whisper_card, tmp_path):
    data = tiny_ggml.read_bytes()
    name = data.index(b"decoder.ln.weight")
    vocabulary = 48 + 8 + 80 * 201 * 4
    damage = [(0, b"oops"), (4, b"\xff\xff\xff\x7f"), (vocabulary, b"\xff\xff\xff\x7f")]
    damage += [(name, b"x"), (name - 4, b"\0\0\0\x7f"), (name - 8, b"\x63")]
    for place, value in damage:
        bad = tmp_path / "bad.bin"
        bad.write_bytes(data[:place] + value + data[place + len(value) :])
        with pytest.raises(ModelError):
            load_engine(whisper_card(bad))


def test_real_words(whisper_model, whisper_card, talk_of_digits, pcm_of):
    """Digits spoken by six people, joined with pauses: the words are right and near where they were put."""
    samples, reference = talk_of_digits(30)
    with pcm_of(samples) as pcm:
        recognition = transcribe(Whisper(whisper_card(whisper_model, **DIGITS)), pcm, spans_of(reference))
    words = [word for segment in recognition.segments for word in segment.words]
    assert jiwer.wer(" ".join(text for text, *_ in reference), " ".join(word.text for word in words)) <= 0.1
    near = [
        any(word.text == text and word.start < end + 0.3 and word.end > start - 0.3 for word in words) for text, start, end in reference
    ]
    assert sum(near) >= 0.9 * len(reference)
    assert np.mean([word.score for word in words]) > 0.8


def spans_of(reference) -> tuple[Span, ...]:
    """Spans as voice activity would find them: words less than 0.3 s apart belong together."""
    spans: list[Span] = []
    for _, start, end in reference:
        if spans and start - spans[-1].end < 0.3:
            spans[-1] = Span(spans[-1].start, end + 0.1)
        else:
            spans.append(Span(max(0.0, start - 0.1), end + 0.1))
    return tuple(spans)
