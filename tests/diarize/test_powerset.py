import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trax.diarize.powerset import classes, powerset, who_talks


def test_classes_are_counted_as_pyannote_counts_them():
    sets = [set(), {0}, {1}, {2}, {0, 1}, {0, 2}, {1, 2}]  # segmentation-3.0: three speakers, two at once
    assert [set(np.flatnonzero(row)) for row in powerset(3, 2)] == sets


@given(st.integers(1, 6), st.data())
def test_every_set_of_speakers_is_one_class(speakers, data):
    at_once = data.draw(st.integers(1, speakers))
    rows = {tuple(row) for row in powerset(speakers, at_once).tolist()}
    assert len(rows) == classes(speakers, at_once) == len(powerset(speakers, at_once))
    assert {sum(row) for row in rows} == set(range(at_once + 1))
    for size in range(at_once + 1):
        ordered = [tuple(np.flatnonzero(row)) for row in powerset(speakers, at_once) if row.sum() == size]
        assert ordered == sorted(ordered)


@given(st.integers(0, 6), st.integers(0, 2**31))
def test_the_likeliest_class_says_who_talks(winner, seed):
    scores = np.random.default_rng(seed).random((2, 5, 7)) - 1
    scores[1, 3, winner] = 0.5
    found = who_talks(scores, 3, 2)
    assert found.shape == (2, 5, 3)
    np.testing.assert_array_equal(found[1, 3], powerset(3, 2)[winner])


@pytest.mark.parametrize(("score", "talks"), [(0.49, False), (0.51, True)])
def test_where_speakers_are_scored_one_by_one_each_counts_for_itself(score, talks):
    found = who_talks(np.array([[score, 0.9, 0.0]]), 3, None)
    assert found.tolist() == [[talks, True, False]]
