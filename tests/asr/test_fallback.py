from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from trax.asr.fallback import TEMPERATURES, Allowance, Quality
from trax.asr.tokens import Token


def tokens(text: str, probability: float) -> list[Token]:
    return [Token(f" {word}".encode(), 0, 1, probability) for word in text.split()]


def test_a_loop_is_bad_whatever_its_probability():
    quality = Quality.of(tokens("so it goes on " * 30, 0.99), 0.0)
    assert quality.is_loop
    assert not quality.is_good


def test_a_guess_is_bad_unless_nobody_speaks():
    assert not Quality.of(tokens("a word or two", 0.2), 0.1).is_good
    assert Quality.of(tokens("a word or two", 0.2), 0.9).is_good
    assert Quality.of(tokens("a word or two", 0.8), 0.1).is_good
    assert Quality.of([], 0.0).is_good


@given(st.floats(-5, 0), st.floats(-5, 0), st.floats(0, 1))
def test_what_is_no_loop_ranks_above_any_loop(one, other, no_speech):
    assert Quality(1.5, one, no_speech).rank > Quality(3.0, other, no_speech).rank


@given(st.lists(st.floats(0.1, 30), max_size=200))
def test_no_more_is_heard_again_than_a_quarter_or_one_window_s_worth(windows):
    speech = sum(windows)
    allowance = Allowance(speech, 30.0)
    again = sum(seconds for seconds in windows for _ in TEMPERATURES if allowance.take(seconds))
    assert again <= max(0.25 * speech, 30.0 * len(TEMPERATURES)) + 1e-6


def test_a_single_window_may_be_tried_at_every_temperature():
    allowance = Allowance(12.0, 30.0)
    assert all(allowance.take(12.0) for _ in TEMPERATURES)
