from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trax.asr.doubt import CONTEXT, LONGEST, NEAR, PAUSE, REACH, SHORTEST_UNHEARD, UTTERANCE_PAUSE, doubtful_spans, unheard, words_of
from trax.transcript import Evidence, Quarantined, Recognition, Segment, Span, Word

EXACT = 1e-6
THRESHOLD = 0.6
GOOD = Evidence(-0.1, 1.0, 0.2, 0.0, 0.0, 1)
BAD = {
    "improbable": replace(GOOD, average_log_probability=-1.2),
    "a loop": replace(GOOD, compression_ratio=3.0),
    "odd": replace(GOOD, anomaly=4.0),
}
QUIET_EVERYWHERE: tuple[Span, ...] = ()


def talk(count: int, *, pause: float = 0.1, doubtful: tuple[int, ...] = (), evidence: Evidence = GOOD) -> Recognition:
    """One segment of words of half a second; those named have a low score."""
    words, at = [], 1.0
    for index in range(count):
        words.append(Word(f"w{index}", at, at + 0.5, 0.2 if index in doubtful else 0.9))
        at += 0.5 + pause
    return Recognition("en", (Segment(words[0].start, words[-1].end, tuple(words), evidence=evidence),))


def later(segment: Segment, pause: float) -> tuple[Word, ...]:
    """The words of a segment again, sure, after a pause."""
    shift = segment.end - segment.start + pause
    return tuple(replace(word, start=word.start + shift, end=word.end + shift, score=0.9) for word in segment.words)


@st.composite
def recordings(draw):
    """What was heard, where the voices are, and how long it is: pauses of all lengths, words left out, low scores, invented segments."""
    segments, quarantined, speech, at = [], [], [], draw(st.sampled_from([0.0, 0.3, 5.0]))
    for _ in range(draw(st.integers(0, 4))):
        at += draw(st.sampled_from([0.3, 0.8, 4.0]))
        start, words = at, []
        for _ in range(draw(st.sampled_from([1, 4, 60]))):
            at += draw(st.sampled_from([0.0, 0.0, 0.05, 0.2]))
            end = at + draw(st.sampled_from([0.1, 0.37, 0.6]))
            kind = draw(st.sampled_from(["sure", "sure", "sure", "doubtful", "left out"]))
            if kind != "left out":
                words.append(Word("word", at, end, 0.9 if kind == "sure" else 0.3))
            at = end
        speech.append(Span(start, at))
        if words:
            segment = Segment(words[0].start, words[-1].end, tuple(words), evidence=draw(st.sampled_from([None, GOOD, *BAD.values()])))
            if draw(st.integers(0, 5)):
                segments.append(segment)
            else:
                quarantined.append(Quarantined(segment, "a loop"))
    return Recognition("en", tuple(segments), tuple(quarantined)), tuple(speech), at + draw(st.sampled_from([0.0, 0.2, 10.0]))


@settings(max_examples=30)
@given(recordings())
def test_spans_are_in_order_disjoint_inside_the_recording_and_never_too_long(case):
    recognition, speech, duration = case
    doubts = doubtful_spans(recognition, speech, duration, THRESHOLD)
    for before, after in pairwise(doubts):
        assert before.span.end <= after.span.start
    for doubt in doubts:
        assert 0 <= doubt.span.start <= doubt.core.start < doubt.core.end <= doubt.span.end <= duration
        assert doubt.span.duration <= LONGEST + EXACT


@settings(max_examples=30)
@given(recordings())
def test_all_that_is_in_doubt_lies_in_the_cores(case):
    recognition, speech, duration = case
    cores = [doubt.core for doubt in doubtful_spans(recognition, speech, duration, THRESHOLD)]
    marks = [(word.start, word.end) for word in words_of(recognition) if word.score < THRESHOLD]
    marks += [(span.start, span.end) for span in unheard(words_of(recognition), speech)]
    marks += [(each.start, each.end) for each in recognition.segments if each.evidence in BAD.values()]
    marks += [(each.segment.start, each.segment.end) for each in recognition.quarantined]
    for start, end in marks:
        inside = sum(max(0.0, min(end, core.end) - max(start, core.start)) for core in cores)
        assert inside == pytest.approx(end - start, abs=EXACT)


@settings(max_examples=30)
@given(recordings())
def test_no_core_begins_or_ends_inside_a_word(case):
    recognition, speech, duration = case
    for doubt in doubtful_spans(recognition, speech, duration, THRESHOLD):
        for word in words_of(recognition):
            for edge in (doubt.core.start, doubt.core.end):
                assert not word.start + EXACT < edge < word.end - EXACT


@settings(max_examples=30)
@given(recordings())
def test_neighbours_are_apart_but_where_a_long_one_was_split(case):
    recognition, speech, duration = case
    for before, after in pairwise(doubtful_spans(recognition, speech, duration, THRESHOLD)):
        gap = after.span.start - before.span.end
        assert gap >= NEAR or before.span.duration >= LONGEST / 2 - EXACT


@settings(max_examples=30)
@given(recordings())
def test_a_higher_threshold_puts_no_less_in_doubt(case):
    recognition, speech, duration = case
    little, much = (
        sum(doubt.core.duration for doubt in doubtful_spans(recognition, speech, duration, threshold)) for threshold in (0.1, 0.95)
    )
    assert little <= much + EXACT


def test_what_is_sure_is_not_heard_again():
    assert doubtful_spans(talk(20), QUIET_EVERYWHERE, 20.0, THRESHOLD) == ()
    assert doubtful_spans(Recognition("en", ()), QUIET_EVERYWHERE, 20.0, THRESHOLD) == ()


def test_a_doubtful_word_is_heard_with_its_surroundings():
    recognition = talk(40, pause=PAUSE, doubtful=(20,))
    word = recognition.segments[0].words[20]
    (doubt,) = doubtful_spans(recognition, QUIET_EVERYWHERE, 60.0, THRESHOLD)
    assert (doubt.core.start, doubt.core.end) == pytest.approx((word.start - PAUSE / 2, word.end + PAUSE / 2))
    for context in (doubt.core.start - doubt.span.start, doubt.span.end - doubt.core.end):
        assert CONTEXT <= context <= CONTEXT + REACH


def test_words_that_run_into_each_other_are_in_doubt_together():
    (part,) = talk(3, pause=PAUSE / 2, doubtful=(1,)).segments
    words = (*part.words, *later(part, PAUSE + 0.01))
    together = Recognition("en", (replace(part, end=words[-1].end, words=words),))
    (doubt,) = doubtful_spans(together, QUIET_EVERYWHERE, 20.0, THRESHOLD)
    assert doubt.core.start < words[0].start
    assert words[2].end < doubt.core.end < words[3].start


def test_the_context_ends_between_utterances():
    recognition = talk(5, pause=UTTERANCE_PAUSE, doubtful=(2,))
    word = recognition.segments[0].words[2]
    (doubt,) = doubtful_spans(recognition, QUIET_EVERYWHERE, 20.0, THRESHOLD)
    assert word.start - UTTERANCE_PAUSE < doubt.span.start < word.start
    assert word.end < doubt.span.end < word.end + UTTERANCE_PAUSE


@pytest.mark.parametrize("evidence", BAD.values(), ids=BAD)
def test_a_segment_with_bad_evidence_is_in_doubt_as_a_whole(evidence):
    recognition = talk(5, evidence=evidence)
    (doubt,) = doubtful_spans(recognition, QUIET_EVERYWHERE, 20.0, THRESHOLD)
    assert doubt.core.start <= recognition.segments[0].start
    assert doubt.core.end >= recognition.segments[0].end


def test_a_voice_without_words_is_in_doubt_when_a_word_fits_in():
    recognition = talk(2, pause=SHORTEST_UNHEARD + 0.1)
    start, end = recognition.segments[0].words[0].end, recognition.segments[0].words[1].start
    (doubt,) = doubtful_spans(recognition, (Span(0.9, 3.0),), 20.0, THRESHOLD)
    assert doubt.core.start <= start
    assert doubt.core.end >= end
    assert doubtful_spans(talk(2, pause=SHORTEST_UNHEARD - 0.1), (Span(0.9, 2.6),), 20.0, THRESHOLD) == ()


def test_what_was_taken_for_invented_is_heard_again_only_where_there_is_a_voice():
    (segment,) = talk(3).segments
    recognition = Recognition("en", (), (Quarantined(segment, "a stock phrase"),))
    assert doubtful_spans(recognition, QUIET_EVERYWHERE, 20.0, THRESHOLD) == ()
    (doubt,) = doubtful_spans(recognition, (Span(1.0, 2.0),), 20.0, THRESHOLD)
    assert (doubt.core.start + doubt.core.end) / 2 == 1.5
    assert 1.0 <= doubt.core.duration < 2.0


def test_a_long_doubt_is_split_at_its_longest_pause():
    starts = [0.5 * index + (0.4 if index > 40 else 0) for index in range(80)]
    words = [Word("w", start, start + 0.45, 0.1) for start in starts]
    recognition = Recognition("en", (Segment(0.0, words[-1].end, tuple(words)),))
    first, second = doubtful_spans(recognition, QUIET_EVERYWHERE, words[-1].end, THRESHOLD)
    assert first.span.end == second.span.start == pytest.approx((words[40].end + words[41].start) / 2)
