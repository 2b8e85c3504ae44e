from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trax.asr.repeats import Repeat, bare, repeats

WORDS = st.lists(st.sampled_from("abc"), max_size=40)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("one two three", []),
        ("no no no no", [Repeat(0, 1, 4)]),
        ("I said no, No! NO", [Repeat(2, 1, 3)]),
        ("so we go we go we go we", [Repeat(1, 2, 3)]),
        ("a a b b a a b b", [Repeat(0, 1, 2), Repeat(2, 1, 2), Repeat(4, 1, 2), Repeat(6, 1, 2), Repeat(0, 4, 2)]),
    ],
)
def test_repeats_are_told_with_their_shortest_run(text, expected):
    assert list(repeats(text.split())) == expected


def test_case_and_punctuation_make_no_difference_but_marks_alone_stay_apart():
    assert bare("Don’t — STOP, now!") == bare("don't stop now") == "dont stop now"
    assert bare("?") != bare("!")


@given(WORDS)
def test_what_is_told_is_there_and_cannot_go_on(texts):
    for found in repeats(texts):
        run = texts[found.first : found.first + found.length]
        assert found.times >= 2
        assert [texts[index] for index in found.words] == run * found.times
        assert texts[found.words.stop : found.words.stop + found.length] != run


@given(WORDS, st.lists(st.sampled_from("def"), min_size=1, max_size=5, unique=True), st.integers(2, 6), WORDS)
def test_no_loop_is_missed(before, run, times, after):
    assert Repeat(len(before), len(run), times) in repeats([*before, *run * times, *after])
