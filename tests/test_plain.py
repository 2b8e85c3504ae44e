"""What goes between the processes comes back as it was, through JSON; what has another shape is refused."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trax.plain import (
    diarization_from_plain,
    diarization_to_plain,
    recognition_from_plain,
    recognition_to_plain,
    spans_from_plain,
    spans_to_plain,
)
from trax.transcript import Diarization, Evidence, Quarantined, Recognition, Refinement, Segment, Span, Turn, Word

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
WORDS = st.lists(st.builds(Word, st.text(), NUMBERS, NUMBERS, NUMBERS), max_size=3).map(tuple)
EVIDENCE = st.builds(Evidence, NUMBERS, NUMBERS, NUMBERS, NUMBERS, NUMBERS, st.integers())
SEGMENTS = st.builds(Segment, NUMBERS, NUMBERS, WORDS, evidence=st.none() | EVIDENCE)
SPANS = st.builds(Span, NUMBERS, NUMBERS)
REFINEMENTS = st.builds(Refinement, SPANS, WORDS, WORDS, st.booleans(), st.text())
RECOGNITIONS = st.builds(
    Recognition,
    st.text(),
    st.lists(SEGMENTS, max_size=3).map(tuple),
    st.lists(st.builds(Quarantined, SEGMENTS, st.text()), max_size=2).map(tuple),
    st.lists(REFINEMENTS, max_size=2).map(tuple),
)
TURNS = st.lists(st.builds(Turn, NUMBERS, NUMBERS, st.text(), NUMBERS), max_size=3).map(tuple)


@given(RECOGNITIONS)
def test_what_was_heard_comes_back_as_it_was(recognition: Recognition) -> None:
    assert recognition_from_plain(json.loads(json.dumps(recognition_to_plain(recognition)))) == recognition


@given(TURNS)
def test_turns_come_back_as_they_were(turns: tuple[Turn, ...]) -> None:
    assert diarization_from_plain(json.loads(json.dumps(diarization_to_plain(Diarization(turns))))) == Diarization(turns)


@given(st.lists(SPANS))
def test_spans_come_back_as_they_were(spans: list[Span]) -> None:
    assert spans_from_plain(json.loads(json.dumps(spans_to_plain(spans)))) == tuple(spans)


@pytest.mark.parametrize("missing", ["language", "segments", "quarantined", "refinements"])
def test_what_lacks_a_part_is_refused(missing: str) -> None:
    plain = recognition_to_plain(Recognition("en", ()))
    del plain[missing]
    with pytest.raises(KeyError):
        recognition_from_plain(plain)


def test_what_has_another_shape_is_refused() -> None:
    segment = Segment(0.0, 1.0, (Word("one", 0.0, 1.0, 0.5),), evidence=Evidence(-0.1, 1.0, 0.2, 0.0, 0.0, 1))
    plain = recognition_to_plain(Recognition("en", (replace(segment, end=2.0),)))
    for wrong in ([1], [["one", 0.0, 1.0]], "one", [["one", "soon", 1.0, 0.5]]):
        plain["segments"][0]["words"] = wrong
        with pytest.raises((TypeError, ValueError)):
            recognition_from_plain(plain)
