"""What is told of where the words come from is inside the recording, in order and made of numbers, whatever the engines said."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trax.errors import WorkerError
from trax.pipeline.provenance import heard, quarantined, refinements
from trax.transcript import Evidence, Quarantined, Recognition, Refinement, Segment, Span, Word

wild = st.floats(-5, 40)
words = st.lists(st.builds(Word, st.text(max_size=4), wild, wild, wild), max_size=3).map(tuple)
evidence = st.builds(Evidence, wild, wild, wild, wild, wild, st.integers(0, 9))
segments = st.builds(Segment, wild, wild, words, evidence=st.none() | evidence)
recognitions = st.builds(
    Recognition,
    st.just("en"),
    st.lists(segments, max_size=5).map(tuple),
    st.lists(st.builds(Quarantined, segments, st.just("a loop")), max_size=5).map(tuple),
    st.lists(st.builds(Refinement, st.builds(Span, wild, wild), words, words, st.booleans(), st.just("surer")), max_size=5).map(tuple),
)


@given(recognitions, st.floats(0, 30))
def test_times_are_whole_milliseconds_in_order_inside_the_recording(recognition: Recognition, duration: float) -> None:
    told = heard(recognition, duration)
    left_out = [each.segment for each in quarantined(recognition, duration)]
    again = [each.span for each in refinements(recognition, duration)]
    for pieces in (told, left_out, again):
        assert [piece.start for piece in pieces] == sorted(piece.start for piece in pieces)
        assert all(0 <= piece.start < piece.end <= duration for piece in pieces)
        assert all(time == round(time, 3) for piece in pieces for time in (piece.start, piece.end))
    assert all(segment.evidence is not None for segment in told)
    if duration >= 0.001:
        assert len(again) == len(recognition.refinements)


def test_what_has_nothing_to_read_is_left_out() -> None:
    blank = Segment(1.0, 2.0, (Word(" \u200b", 1.0, 2.0, 0.5),), evidence=Evidence(-0.1, 1.0, 1.0, 0.0, 0.0, 1))
    recognition = Recognition("en", (blank,), (Quarantined(blank, "a loop"),))
    assert heard(recognition, 10.0) == ()
    assert quarantined(recognition, 10.0) == ()


@pytest.mark.parametrize("figure", ["average_log_probability", "compression_ratio", "entropy", "no_speech", "anomaly"])
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_figure_that_is_no_number_is_the_workers_fault(figure: str, bad: float) -> None:
    known = replace(Evidence(-0.1, 1.0, 1.0, 0.0, 0.0, 1), **{figure: bad})
    segment = Segment(1.0, 2.0, (Word("one", 1.0, 2.0, 0.5),), evidence=known)
    with pytest.raises(WorkerError, match="evidence that is not a number"):
        heard(Recognition("en", (segment,)), 10.0)
    with pytest.raises(WorkerError, match="evidence that is not a number"):
        quarantined(Recognition("en", (), (Quarantined(segment, "a loop"),)), 10.0)
