from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trax.asr import stock_phrases
from trax.asr.evidence import evidence_of
from trax.asr.hallucinations import DOUBTFUL_LOOP, LOOP, MONOTONOUS, NOBODY, ODD, RATE, STOCK, UNHEARD, UNSURE, sifted
from trax.asr.repeats import bare
from trax.asr.tokens import Token, words_of
from trax.transcript import Segment, Span


def said(text: str, start: float = 0.0, *, pace: float = 2.5, probability: float = 0.95, no_speech: float = 0.05) -> Segment:
    """A segment of so many words a second, each lasting nine tenths of its time."""
    tokens = [
        Token(f" {word}".encode(), start + index / pace, start + (index + 0.9) / pace, probability)
        for index, word in enumerate(text.split())
    ]
    words = words_of(tokens, "en")
    return Segment(words[0].start, words[-1].end, words, evidence=evidence_of(tokens, words, no_speech))


def reasons(*segments: Segment, speech: tuple[Span, ...] = (Span(0, 600),), is_calibrated: bool = False) -> list[str | None]:
    kept, quarantined = sifted(segments, speech, is_calibrated=is_calibrated)
    why = {id(each.segment): each.why for each in quarantined}
    assert sorted((*kept, *(each.segment for each in quarantined)), key=lambda each: each.start) == list(segments)
    return [why.get(id(segment)) for segment in segments]


@pytest.mark.parametrize(
    "text",
    [
        *("three three three", "no no no no no no", "it was very very very very good", "zero " * 12, "one two one two one two one two"),
        *("thank you", "Thank you very much.", "you", "thanks for watching", "okay", "bye bye", "the subtitles by the river"),
        *("nine " * 20, "one three one three one three three one one three " * 3),
    ],
)
@pytest.mark.parametrize("pace", [1.5, 4.0])
def test_what_people_truly_say_stays(text, pace):
    assert reasons(said(text, pace=pace)) == [None]


def test_a_quick_laugh_stays():
    assert reasons(said("ha ha ha ha ha ha", pace=6)) == [None]


def test_digits_in_segments_of_three_stay_however_they_repeat():
    assert reasons(*(said("three three three", index * 1.5) for index in range(6))) == [None] * 6


def test_text_where_there_is_no_speech_goes_however_sure_the_model_is():
    speech = (Span(0, 4), Span(20, 30))
    invented = said("one two three", 10, probability=0.99)
    assert reasons(said("one two three"), invented, said("four", 22), speech=speech) == [None, UNHEARD, None]


def test_a_word_placed_a_little_beside_its_sound_stays():
    assert reasons(said("eight", 4.1), speech=(Span(0, 4), Span(5, 9))) == [None]


def test_nobody_speaks_and_the_model_is_unsure():
    assert reasons(said("one two", probability=0.3, no_speech=0.8)) == [NOBODY]
    assert reasons(said("one two", probability=0.9, no_speech=0.8)) == [None]
    assert reasons(said("one two and so on", probability=0.3), said("four five six seven eight nine", 2.5)) == [None, None]


def test_a_stretch_between_silences_of_which_the_model_is_unsure_goes_whole():
    babble = said("six nine", 10, probability=0.4), said("two", 11.5, probability=0.7), said("six six", 12.5, probability=0.4)
    before, after = said("one two three"), said("four", 20, probability=0.4)
    assert reasons(before, *babble, after, is_calibrated=True) == [None, UNSURE, UNSURE, UNSURE, None]
    assert reasons(before, *babble, after) == [None] * 5, "what a model thinks of itself is no reason"
    surer = said("four five six seven eight nine", 15)
    assert reasons(before, *babble, surer, is_calibrated=True) == [None] * 5  # refined, where a better model is there


def test_a_loop_faster_than_speech():
    assert reasons(said("we are here", 0), said("one two " * 10, 2, pace=12)) == [None, RATE]


def test_a_loop_that_is_far_too_long():
    assert reasons(said("I do not know " * 12)) == [LOOP]


def test_a_loop_over_many_segments():
    found = reasons(said("we begin", 0), *(said("all right then", 2 + 2 * index) for index in range(12)), said("the end of it", 30))
    assert found == [None, *[LOOP] * 12, None]


def test_a_loop_where_speech_is_doubtful():
    assert reasons(said("hello there " * 5, probability=0.9, no_speech=0.7)) == [DOUBTFUL_LOOP]
    assert reasons(said("hello there " * 5)) == [None]


def test_text_that_hardly_says_anything_new():
    text = "alpha beta alpha alpha beta beta alpha beta beta beta alpha alpha alpha beta alpha beta beta alpha alpha beta alpha alpha beta"
    assert reasons(said(text, no_speech=0.7)) == [MONOTONOUS]
    assert reasons(said(text)) == [None]


@pytest.mark.parametrize(
    "text", ["Thank you.", "Thanks for watching! Thanks for watching!", "Untertitel im Auftrag des ZDF", "ご視聴ありがとうございました"]
)
def test_stock_phrases_go_when_anything_speaks_against_them(text):
    assert reasons(said(text)) == [None]
    assert reasons(said(text, probability=0.5)) == [STOCK]
    assert reasons(said(text, no_speech=0.4)) == [STOCK]
    assert reasons(said(text, 10), said("four five six", 20), speech=(Span(20, 30),)) == [UNHEARD, None]


def test_odd_words_alone_in_silence_go_and_among_others_stay():
    odd = said("six", 10, probability=0.1)
    assert reasons(said("one two"), odd, said("three four", 20)) == [None, ODD, None]
    assert reasons(said("one two", 9), odd, said("three four", 10.5)) == [None, None, None]
    assert reasons(said("yes", pace=20)) == [None]  # short, but the model is sure of it


def test_segments_without_evidence_are_believed():
    segment = Segment(0, 1, said("one").words)
    assert sifted([segment], ()) == ((segment,), ())


def test_every_stock_phrase_is_written_as_it_is_looked_for():
    phrases = [*stock_phrases._SIGN_OFFS, *stock_phrases._CREDITS]
    assert [phrase for phrase in phrases if bare(phrase) != phrase] == []
    assert all(stock_phrases.is_stock_phrase(phrase.upper() + "!") for phrase in stock_phrases._SIGN_OFFS if phrase.isascii())


TEXTS = st.lists(st.sampled_from(["zero", "one", "two", "three", "nine"]), min_size=1, max_size=3).map(" ".join)
SPOKEN = st.tuples(TEXTS, st.floats(0.05, 1), st.floats(0, 1), st.floats(0.1, 5), st.floats(0.5, 20))


@given(st.lists(SPOKEN, max_size=12), st.lists(st.tuples(st.floats(0, 3), st.floats(0, 3)), max_size=5))
def test_nothing_is_lost_and_order_stays(spoken, gaps):
    segments, at = [], 0.0
    for text, probability, no_speech, pause, pace in spoken:
        segments.append(said(text, at, pace=pace, probability=probability, no_speech=no_speech))
        at = segments[-1].end + pause
    speech, end = [], 0.0
    for before, length in gaps:
        speech.append(Span(end + before, end + before + length))
        end = speech[-1].end
    kept, quarantined = sifted(segments, speech)
    assert sorted([*kept, *(each.segment for each in quarantined)], key=lambda each: each.start) == segments
    assert all(each.why for each in quarantined)


@given(st.lists(TEXTS, max_size=9), st.floats(0.8, 1), st.floats(0, 0.3), st.floats(1, 4))
def test_short_segments_of_plainly_good_speech_always_stay(texts, probability, no_speech, pace):
    segments, at = [], 0.0
    for text in texts:
        segments.append(said(text, at, pace=pace, probability=probability, no_speech=no_speech))
        at = segments[-1].end + 0.2
    kept, quarantined = sifted(segments, [Span(0, at)])
    assert (list(kept), quarantined) == (segments, ())
