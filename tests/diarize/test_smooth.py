import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from trax.diarize.smooth import best_path, instant_scores
from trax.diarize.windows import LENGTH


@given(seed=st.integers(0, 10_000), length=st.integers(1, 7), speakers=st.integers(1, 3), cost=st.floats(0, 3))
@settings(max_examples=60, deadline=None)
def test_the_path_is_the_best_of_all(seed, length, speakers, cost):
    rng = np.random.default_rng(seed)
    scores, costs = rng.normal(size=(length, speakers)), cost * rng.uniform(size=length)

    def worth(path):
        return sum(scores[t, s] for t, s in enumerate(path)) - sum(costs[t] for t in range(1, length) if path[t] != path[t - 1])

    best = max(worth(path) for path in itertools.product(range(speakers), repeat=length))
    assert np.isclose(worth(best_path(scores, costs).tolist()), best)


def test_free_changes_follow_the_loudest_and_dear_ones_never_happen():
    scores = np.random.default_rng(1).normal(size=(50, 3))
    assert best_path(scores, np.zeros(50)).tolist() == scores.argmax(axis=1).tolist()
    assert set(best_path(scores, np.full(50, 1e9)).tolist()) == {int(scores.sum(axis=0).argmax())}
    assert best_path(np.zeros((0, 2)), np.zeros(0)).tolist() == []


@given(seed=st.integers(0, 10_000), count=st.integers(1, 12), speakers=st.integers(1, 4))
@settings(max_examples=50, deadline=None)
def test_scores_are_weighted_means_of_the_windows_around(seed, count, speakers):
    rng = np.random.default_rng(seed)
    starts = np.sort(rng.uniform(0, 10, count))
    windows = np.stack([starts, starts + LENGTH], axis=1)
    similarities = rng.uniform(0, 1, (count, speakers))
    instants = np.sort(rng.uniform(0, 12, 40))
    scores = instant_scores(instants, windows, similarities)
    for t, score in zip(instants, scores, strict=True):
        distance = np.abs(windows.mean(axis=1) - t)
        weight = np.maximum(0.0, 1.0 - distance / (LENGTH / 2))
        expected = weight @ similarities / weight.sum() if weight.sum() > 1e-6 else similarities[distance.argmin()]
        np.testing.assert_allclose(score, expected, atol=1e-3)
