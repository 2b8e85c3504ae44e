"""What the digits models are shown: conversations of clips, and Whisper's sequence for them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.digits.clips import RATE, Clip
from training.digits.examples import LATEST_FIRST, SEGMENT, Example, example
from training.digits.mixtures import Cast, Mixture, cast_of, conversation, without_speech
from training.digits.vocabulary import (
    DIGITS,
    END_ROW,
    FIRST_TIMESTAMP_ROW,
    NO_SPEECH_ROW,
    OTHER_ROW,
    START_ROW,
    TIMESTAMP_SECONDS,
    TIMESTAMPS,
    timestamp_row,
)

#: whisper.cpp moves on to the end of the window after the stamp 0.00 alone.
NOTHING_SAID = ([NO_SPEECH_ROW, END_ROW], [timestamp_row(0), END_ROW])
seeds = st.integers(0, 2**32 - 1)


@pytest.fixture(scope="module")
def cast() -> Cast:
    draw = np.random.default_rng(1)
    clips = [
        Clip(digit, voice, draw.uniform(-1, 1, int(draw.uniform(0.2, 0.6) * RATE)).astype(np.float32))
        for voice in ("anna", "espeak one", "espeak two")
        for digit in range(len(DIGITS))
    ]
    return cast_of(clips, {"espeak": 0.4})


def test_a_group_of_rare_voices_shares_what_is_its_own(cast):
    assert dict(zip(cast.clips, cast.shares, strict=True)) == pytest.approx({"anna": 0.6, "espeak one": 0.2, "espeak two": 0.2})


@given(seed=seeds, seconds=st.sampled_from([1.5, 3.0, 6.0, 30.0]), varied=st.booleans())
def test_digits_follow_each_other_within_the_window(cast, seed, seconds, varied):
    mixture = conversation(np.random.default_rng(seed), cast, seconds, varied=varied)
    edges = [edge for turn in mixture.turns for digit in turn for edge in (digit.start, digit.end)]
    assert len(mixture.samples) == seconds * RATE
    assert np.abs(mixture.samples).max() <= 1
    assert edges == sorted(edges)
    assert all(0 <= edge <= seconds for edge in edges)
    assert mixture.cut is None or (varied and (edges or [0.0])[-1] <= mixture.cut < seconds)


@given(seed=seeds)
def test_joined_as_they_are_clips_keep_their_sound(cast, seed):
    mixture = conversation(np.random.default_rng(seed), cast, 6.0, varied=False)
    said = {clip.samples[:100].tobytes() for clips in cast.clips.values() for clip in clips}
    for turn in mixture.turns:
        for digit in turn:
            first = round(digit.start * RATE)
            assert (mixture.samples[first : first + 100] * 2).astype(np.float32).tobytes() in said


@given(seed=seeds, offset=st.sampled_from([0.0, 12.34]), varied=st.booleans())
def test_the_sequence_is_whispers(cast, seed, offset, varied):
    draw = np.random.default_rng(seed)
    mixture = conversation(draw, cast, 6.0, varied=varied)
    shown = example(draw, mixture, offset)
    said = _said(shown)
    assert [row for row in said if row < len(DIGITS)] == [digit.digit for digit in shown.digits]
    if not mixture.turns and mixture.cut is None:
        assert said in NOTHING_SAID
        return
    stamps = [row for row in said if row >= FIRST_TIMESTAMP_ROW]
    assert said[-1] == END_ROW
    assert said[0] == stamps[0]
    assert stamps == sorted(stamps)
    segments = sum(-(-len(turn) // SEGMENT) for turn in mixture.turns)
    assert len(stamps) == 2 * segments + (mixture.cut is not None)
    if not offset:
        assert stamps[0] <= timestamp_row(LATEST_FIRST)
    else:
        assert stamps[0] >= timestamp_row(offset)


@given(seed=seeds)
def test_every_digit_is_listened_for_where_it_is_spoken(cast, seed):
    draw = np.random.default_rng(seed)
    shown = example(draw, conversation(draw, cast, 12.0, varied=True), 3.0)
    asked = shown.spans[(shown.targets >= 0) & (shown.targets < len(DIGITS))]
    assert len(asked) == len(shown.digits)
    for (start, end), digit in zip(asked, shown.digits, strict=True):
        assert start < digit.start < digit.end < end  # in the window, whatever its time stamps count from


@given(seed=seeds)
def test_what_is_no_speech_is_said_to_be_none(seed):
    draw = np.random.default_rng(seed)
    shown = example(draw, without_speech(draw, 2.0), 0.0)
    assert _said(shown) in NOTHING_SAID
    assert np.isnan(shown.spans).all()


def test_a_prompt_is_given_but_never_asked_for():
    nothing = Mixture(np.zeros(RATE, dtype=np.float32), ())
    shown = [example(np.random.default_rng(seed), nothing, 0.0) for seed in range(100)]
    prompted = [each for each in shown if each.rows[0] == OTHER_ROW]
    assert 0 < len(prompted) < len(shown) / 4
    assert all(each.targets[0] == -1 for each in prompted)


@given(st.floats(0, 30))
def test_a_time_has_the_nearest_stamp(seconds):
    place = timestamp_row(seconds) - FIRST_TIMESTAMP_ROW
    assert 0 <= place < TIMESTAMPS
    assert abs(place * TIMESTAMP_SECONDS - seconds) <= TIMESTAMP_SECONDS / 2 + 1e-9


def _said(shown: Example) -> list[int]:
    """What comes out after START."""
    first = list(shown.rows).index(START_ROW)
    assert (shown.targets[:first] == -1).all()
    assert list(shown.rows[first + 1 :]) == list(shown.targets[first:-1]) or shown.targets[first] == NO_SPEECH_ROW
    return [int(row) for row in shown.targets[first:]]
