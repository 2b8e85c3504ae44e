from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from trax.asr.language import SAMPLES, spread, voted

LANGUAGES = ("en", "de", "fr", "uk")
VOTES = st.lists(st.dictionaries(st.sampled_from((*LANGUAGES, "xx")), st.floats(0, 1)), max_size=SAMPLES)


def test_a_sure_sample_outvotes_wavering_ones():
    wavering = {"de": 0.4, "en": 0.35, "fr": 0.25}
    assert voted([wavering, wavering, {"en": 0.99, "de": 0.01}], LANGUAGES) == "en"


def test_many_outvote_one():
    assert voted([{"uk": 0.9, "en": 0.1}, {"en": 0.8, "uk": 0.2}, {"en": 0.7, "uk": 0.3}], LANGUAGES) == "en"


def test_without_votes_the_first():
    assert voted([], LANGUAGES) == "en"
    assert voted([{"xx": 1.0}], ("fr", "de")) == "fr"


@given(VOTES, st.randoms(use_true_random=False))
def test_the_order_of_the_votes_makes_no_difference(votes, random):
    mixed = random.sample(votes, len(votes))
    assert voted(mixed, LANGUAGES) == voted(votes, LANGUAGES)


@given(VOTES, st.sampled_from(LANGUAGES))
def test_one_more_vote_for_the_winner_changes_nothing(votes, other):
    winner = voted(votes, LANGUAGES)
    assert voted([*votes, {winner: 1.0, other: 0.5}], LANGUAGES) == winner


@given(st.integers(0, 1000), st.integers(1, 9))
def test_samples_are_spread_over_the_recording(length, count):
    taken = spread(range(length), count)
    assert len(taken) == min(length, count)
    assert sorted(set(taken)) == list(taken)
    if length > count:
        ends = [0, *taken, length - 1]
        assert max(b - a for a, b in itertools.pairwise(ends)) <= length / count + 1
