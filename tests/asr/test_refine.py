from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from trax.asr.engine import Options
from trax.asr.refine import refine
from trax.asr.whisper import Whisper
from trax.audio.pcm import SAMPLE_RATE
from trax.errors import Cancelled
from trax.models.catalogue import catalogue
from trax.shipped import shipped
from trax.transcript import Recognition, Segment, Span, Word

OPTIONS = Options("auto")


@pytest.fixture(scope="module")
def better(whisper_card):
    """The better of the digits models."""
    (file,) = catalogue()["digits"].files
    return Whisper(whisper_card(shipped("models") / file.name, temperature_inc=0.0))


@pytest.fixture
def first(talk_of_digits):
    """What a perfect first pass hears of a talk of ten digits, all sure, and the talk's sound."""
    samples, reference = talk_of_digits(10)
    words = tuple(Word(text, start, end, 0.9) for text, start, end in reference)
    return Recognition("en", (Segment(words[0].start, words[-1].end, words),)), samples


def never() -> bool:
    return False


def followed(_: float) -> None:
    pass


def test_a_wrong_word_and_a_missing_one_are_heard_again(better, first, pcm_of):
    recognition, samples = first
    words = list(recognition.segments[0].words)
    wrong, missing = replace(words[2], text="nothing", score=0.1), words[7]
    heard = replace(recognition, segments=(replace(recognition.segments[0], words=(*words[:2], wrong, *words[3:7], *words[8:])),))
    progress: list[float] = []
    with pcm_of(samples) as pcm:
        refined = refine(heard, better, pcm, (Span(0.0, pcm.duration),), OPTIONS, 0.6, progress.append, never)
    texts = [word.text.strip(" ,.").lower() for segment in refined.segments for word in segment.words]
    assert texts == [word.text for word in words]
    assert all(each.is_taken for each in refined.refinements)
    assert missing.text in [word.text.strip(" ,.").lower() for each in refined.refinements for word in each.after]
    assert progress == sorted(progress)
    assert progress[-1] == pytest.approx(1.0)


def test_what_is_sure_costs_nothing(better, first, pcm_of):
    recognition, samples = first
    speech = tuple(Span(word.start, word.end) for word in recognition.segments[0].words)
    with pcm_of(samples) as pcm:
        assert refine(recognition, better, pcm, speech, OPTIONS, 0.6, followed, never) == recognition


def test_it_can_be_given_up(better, first, pcm_of):
    recognition, samples = first
    with pcm_of(samples) as pcm, pytest.raises(Cancelled):
        refine(recognition, better, pcm, (Span(0.0, pcm.duration),), OPTIONS, 1.0, followed, lambda: True)


def test_words_invented_over_silence_stay_away(better, pcm_of):
    with pcm_of(np.zeros(5 * SAMPLE_RATE)) as pcm:
        nothing = Recognition("en", ())
        assert refine(nothing, better, pcm, (), OPTIONS, 0.6, followed, never) == nothing
