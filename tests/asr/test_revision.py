from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trax.asr.doubt import Doubt, doubtful_spans, words_of
from trax.asr.hallucinations import sifted
from trax.asr.revision import MARGIN, revised
from trax.transcript import Evidence, Quarantined, Recognition, Segment, Span, Word

EXACT = 1e-6
SLOT = 0.5  # seconds from one spoken word to the next
GOOD = Evidence(-0.1, 1.0, 0.2, 0.0, 0.0, 1)
LOOP = replace(GOOD, compression_ratio=3.0)


def segment(*words: Word, evidence: Evidence | None = GOOD) -> Segment:
    return Segment(words[0].start, words[-1].end, words, evidence=evidence)


def said(text: str, *, unsure: float = 0.3, at: float = 0.0, evidence: Evidence | None = GOOD) -> Recognition:
    """One segment of words, a slot each; "-" leaves a slot empty, "?" after a word makes its score `unsure`."""
    words = [
        Word(each.strip("?"), at + SLOT * index + 0.05, at + SLOT * index + 0.45, unsure if each.endswith("?") else 0.9)
        for index, each in enumerate(text.split())
        if each != "-"
    ]
    return Recognition("en", (segment(*words, evidence=evidence),) if words else ())


def text(recognition: Recognition) -> str:
    return " ".join(word.text for word in words_of(recognition))


#: The third to fifth of eight words in doubt, one on each side as context.
DOUBT = Doubt(Span(1.0, 2.5), Span(0.5, 3.0))
VOICE = (Span(0.0, 4.0),)
FIRST = said("a b c? d? e? f g h")


def second(text: str, *, unsure: float = 0.3, evidence: Evidence = GOOD) -> Recognition:
    return said(text, unsure=unsure, at=DOUBT.span.start, evidence=evidence)


def test_a_surer_hearing_replaces_what_is_in_doubt_and_nothing_else():
    result = revised(FIRST, [DOUBT], second("b x y z f"), VOICE)
    assert text(result) == "a b x y z f g h"
    (refinement,) = result.refinements
    assert refinement.is_taken
    assert [word.text for word in refinement.before] == ["c", "d", "e"]
    assert [word.text for word in refinement.after] == ["x", "y", "z"]
    assert refinement.why == "The second hearing is surer: 0.90 against 0.30."


def test_each_word_keeps_the_evidence_of_the_hearing_it_is_from():
    other = replace(GOOD, entropy=0.7)
    result = revised(FIRST, [DOUBT], second("b x y z f", evidence=other), VOICE)
    assert [(each.evidence, [word.text for word in each.words]) for each in result.segments] == [
        (GOOD, ["a", "b"]),
        (other, ["x", "y", "z"]),
        (GOOD, ["f", "g", "h"]),
    ]


@pytest.mark.parametrize(
    ("heard", "why"),
    [
        (second("b x? y? z? f"), "not surer"),
        (second("b x? y? z? f", unsure=0.2), "not surer"),
        (second("b - - - f"), "not surer"),
        (second("b x y z f", evidence=LOOP), "repeats itself"),
        (Recognition("en", (segment(Word("b", 0.55, 1.48, 0.9), *second("- - y z f").segments[0].words),)), "on the other side"),
        (Recognition("en", (segment(*second("b x y").segments[0].words, Word("e", 2.05, 2.98, 0.9)),)), "on the other side"),
    ],
    ids=["tie", "less sure", "nothing over a voice", "loop", "doubled at an edge", "lost at an edge"],
)
def test_the_first_hearing_stays(heard, why):
    result = revised(FIRST, [DOUBT], heard, VOICE)
    assert result.segments == FIRST.segments
    (refinement,) = result.refinements
    assert not refinement.is_taken
    assert refinement.why.startswith("The first hearing stays: ")
    assert why in refinement.why


def test_what_was_invented_is_refused_and_kept_to_be_looked_at():
    invented = Quarantined(second("- x y z -").segments[0], "no speech was found there")
    result = revised(FIRST, [DOUBT], Recognition("en", (), (invented,)), (Span(0.0, 0.5), Span(3.0, 4.0)))
    assert result.segments == FIRST.segments
    (refinement,) = result.refinements
    assert "taken for invented: no speech was found there" in refinement.why
    assert [word.text for word in refinement.after] == ["x", "y", "z"]


def test_what_seemed_lonely_only_because_the_spans_were_heard_alone_is_no_invention():
    lonely = sifted(second("b x y z f", evidence=replace(GOOD, average_log_probability=-0.7, anomaly=4.0)).segments, VOICE)
    assert lonely[1]
    assert text(revised(FIRST, [DOUBT], Recognition("en", *lonely), VOICE)) == "a b x y z f g h"


def test_a_word_that_was_left_out_is_found():
    result = revised(said("a b c - e f g h"), [DOUBT], second("b? c? d? e? f?", unsure=0.85), (Span(0.0, 4.0),))
    assert text(result) == "a b c d e f g h"


def test_unsure_words_without_a_voice_go_when_nothing_is_heard():
    first = said("a b - d? - f g h")
    heard = second("b - - - f")
    assert text(revised(first, [DOUBT], heard, (Span(0.0, 1.0), Span(2.5, 4.0)))) == "a b f g h"
    assert text(revised(first, [DOUBT], heard, VOICE)) == "a b d f g h"


def test_a_word_over_the_edge_is_left_alone():
    first = said("a b c? d? e? f g h")
    straddling = replace(first, segments=(segment(*first.segments[0].words[:2], Word("c", 0.95, 1.5, 0.2), *first.segments[0].words[3:]),))
    result = revised(straddling, [DOUBT], second("b x y z f"), VOICE)
    assert result.segments == straddling.segments
    assert "reaches over the edge" in result.refinements[0].why


WORDS = st.sampled_from(["one", "two", "two", "five"])
SCORES = st.sampled_from([0.1, 0.4, 0.7, 0.95])


@st.composite
def heard_twice(draw):
    """Slots, and two hearings of them: words wrong, left out, moved a little, sure or not, in segments of any length."""
    slots = draw(st.integers(1, 12))

    def hearing() -> Recognition:
        segments, words = [], []
        for slot in range(slots):
            if draw(st.integers(0, 6)):
                moved = draw(st.sampled_from([-0.04, 0.0, 0.04]))
                words.append(Word(draw(WORDS), SLOT * slot + 0.05 + moved, SLOT * slot + 0.45 + moved, draw(SCORES)))
            if words and not draw(st.integers(0, 4)):
                segments.append(segment(*words, evidence=draw(st.sampled_from([None, GOOD, GOOD, LOOP]))))
                words = []
        return Recognition("en", (*segments, segment(*words)) if words else tuple(segments))

    return hearing(), hearing(), SLOT * slots


def revise(first: Recognition, other: Recognition, duration: float) -> tuple[Recognition, tuple[Doubt, ...]]:
    speech = (Span(0.0, duration),)
    doubts = doubtful_spans(first, speech, duration, 0.6)
    return revised(first, doubts, other, speech), doubts


@settings(max_examples=40)
@given(heard_twice())
def test_every_span_has_its_refinement_and_what_is_outside_stays(case):
    first, other, duration = case
    result, doubts = revise(first, other, duration)
    assert [each.span for each in result.refinements] == [doubt.span for doubt in doubts]
    taken = [doubt.core for doubt, each in zip(doubts, result.refinements, strict=True) if each.is_taken]

    def outside(recognition: Recognition) -> list[Word]:
        return [w for w in words_of(recognition) if not any(core.start <= (w.start + w.end) / 2 < core.end for core in taken)]

    assert outside(result) == outside(first)
    for doubt, each in zip(doubts, result.refinements, strict=True):
        inside = [w for w in words_of(result) if doubt.core.start <= (w.start + w.end) / 2 < doubt.core.end]
        assert inside == list(each.after if each.is_taken else each.before)


@settings(max_examples=40)
@given(heard_twice())
def test_no_word_is_doubled_and_times_are_in_order(case):
    first, other, duration = case
    words = words_of(revise(first, other, duration)[0])
    slots = [round(((word.start + word.end) / 2 - SLOT / 2) / SLOT) for word in words]
    assert slots == sorted(set(slots))
    for before, after in pairwise(words):
        assert before.end <= after.start + EXACT


@settings(max_examples=40)
@given(heard_twice())
def test_segments_are_in_order_and_hold_their_words(case):
    first, other, duration = case
    result, _ = revise(first, other, duration)
    assert [each.start for each in result.segments] == sorted(each.start for each in result.segments)
    for each in result.segments:
        assert each.words
        assert each.start == each.words[0].start
        assert each.end == each.words[-1].end


@settings(max_examples=40)
@given(heard_twice())
def test_a_second_revision_changes_nothing(case):
    first, other, duration = case
    once, doubts = revise(first, other, duration)
    assert revised(once, doubts, other, (Span(0.0, duration),)).segments == once.segments


@settings(max_examples=40)
@given(heard_twice())
def test_where_nothing_is_taken_nothing_changes(case):
    first, other, duration = case
    unsure = replace(other, segments=tuple(replace(s, words=tuple(replace(w, score=MARGIN / 2) for w in s.words)) for s in other.segments))
    result, _ = revise(first, unsure, duration)
    if not any(each.is_taken for each in result.refinements):
        assert result == replace(first, refinements=result.refinements)
