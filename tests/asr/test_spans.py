from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from trax.asr.spans import intersection, touching
from trax.transcript import Span


@st.composite
def apart(draw):
    """Spans in order and apart; some without length."""
    edges = sorted(draw(st.sets(st.integers(0, 60), max_size=24)))
    spans = [Span(float(start), float(end)) for start, end in zip(edges[::2], edges[1::2], strict=False)]
    return [Span(span.start, span.start) if draw(st.booleans()) else span for span in spans]


@given(apart(), st.integers(-5, 65), st.integers(0, 30))
def test_touching_are_those_that_overlap_or_meet(spans, start, length):
    end = start + length
    assert list(touching(spans, start, end)) == [span for span in spans if span.end >= start and span.start <= end]


@given(apart(), apart())
def test_the_intersection_is_what_every_pair_shares(first, second):
    pairs = ((max(one.start, other.start), min(one.end, other.end)) for one in first for other in second)
    assert list(intersection(first, second)) == [Span(start, end) for start, end in pairs if start < end]
