import resource
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trax.diarize.cluster import EXACT, FEW, agglomerate, cluster, condense, number_in_order


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def voices(rng: np.random.Generator, speakers: int, windows: int, noise: float = 0.03, run: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """Windows of made-up voices that take turns; in GE2E's space, all coordinates are positive."""
    centres = unit(np.maximum(rng.normal(size=(speakers, 256)), 0))
    truth = np.repeat(rng.permutation(np.arange(windows // run + 1) % speakers), run)[:windows]
    return unit(centres[truth] + noise * rng.normal(size=(windows, 256))).astype(np.float32), number_in_order(truth)


def find(vectors: np.ndarray, *, threshold=0.35, low=1, high=10, smallest=1, lenience=0.0) -> list[int]:
    return cluster(vectors, threshold=threshold, min_speakers=low, max_speakers=high, smallest=smallest, lenience=lenience).tolist()


@given(seed=st.integers(0, 10_000), count=st.integers(2, 60), threshold=st.floats(0.02, 1.2))
@settings(max_examples=60, deadline=None)
def test_labels_are_those_of_scipy(seed, count, threshold):
    hierarchy = pytest.importorskip("scipy.cluster.hierarchy", reason="scipy comes with pyannote.metrics")
    vectors = unit(np.random.default_rng(seed).normal(0.3, 1, size=(count, 8)))
    expected = hierarchy.fcluster(hierarchy.linkage(vectors, "average", "cosine"), threshold, "distance")
    assert find(vectors, threshold=threshold, high=count) == number_in_order(expected).tolist()


@given(seed=st.integers(0, 10_000), count=st.integers(2, 60))
@settings(max_examples=30, deadline=None)
def test_merges_are_those_of_scipy(seed, count):
    hierarchy = pytest.importorskip("scipy.cluster.hierarchy", reason="scipy comes with pyannote.metrics")
    vectors = unit(np.random.default_rng(seed).normal(0.3, 1, size=(count, 8)))
    expected = hierarchy.linkage(vectors, "average", "cosine")
    merges = agglomerate(vectors, np.ones(count))
    np.testing.assert_allclose(merges.distances, expected[:, 2], atol=1e-12)
    assert (np.diff(merges.distances) >= -1e-12).all()


def test_clusters_given_as_sums_merge_as_their_members_would():
    vectors, _ = voices(np.random.default_rng(3), 4, 80)
    one_by_one = agglomerate(vectors, np.ones(80)).distances[-3:]
    pairs = np.arange(80) // 2
    sums = np.zeros((40, 256))
    np.add.at(sums, pairs, vectors.astype(np.float64))
    np.testing.assert_allclose(agglomerate(sums, np.full(40, 2.0)).distances[-3:], one_by_one, rtol=1e-6)


@given(seed=st.integers(0, 1000), speakers=st.integers(1, 6))
@settings(max_examples=25, deadline=None)
def test_separate_voices_are_found(seed, speakers):
    vectors, truth = voices(np.random.default_rng(seed), speakers, 150)
    assert find(vectors, smallest=4) == truth.tolist()


@given(seed=st.integers(0, 1000), speakers=st.integers(1, 5), low=st.integers(1, 6), more=st.integers(0, 3))
@settings(max_examples=40, deadline=None)
def test_the_number_of_speakers_stays_within_its_bounds(seed, speakers, low, more):
    vectors, _ = voices(np.random.default_rng(seed), speakers, 90, noise=0.06)
    assert low <= len(set(find(vectors, low=low, high=low + more, smallest=4))) <= low + more


@given(seed=st.integers(0, 1000), count=st.integers(1, 8), low=st.integers(1, 10))
@settings(max_examples=40, deadline=None)
def test_more_speakers_than_windows_cannot_be(seed, count, low):
    vectors, _ = voices(np.random.default_rng(seed), 2, count)
    assert len(set(find(vectors, low=low, high=12, smallest=4))) >= min(low, count)


def test_a_stray_window_joins_the_nearest_voice_rather_than_be_a_speaker():
    rng = np.random.default_rng(5)
    vectors, truth = voices(rng, 2, 100)
    vectors[50] = unit(vectors[50:51] * 0.35 + unit(np.abs(rng.normal(size=(1, 256)))))[0]
    assert find(vectors, smallest=4) == truth.tolist()
    assert len(set(find(vectors, smallest=1))) == 3


def test_a_stray_window_is_not_one_of_the_two_speakers_that_were_asked_for():
    rng = np.random.default_rng(6)
    vectors, truth = voices(rng, 2, 100)
    vectors[50] = unit(np.maximum(rng.normal(size=(1, 256)), 0))[0]
    labels = np.array(find(vectors, low=2, high=2, smallest=4))
    assert (labels == truth)[np.arange(100) != 50].all()


def between(rng: np.random.Generator, count: int, distance: float, noise: float = 0.02) -> np.ndarray:
    """40 windows of one voice, then `count` of another at this cosine distance from it."""
    first, other = np.linalg.qr(rng.normal(size=(256, 2)))[0].T
    second = (1 - distance) * first + np.sqrt(1 - (1 - distance) ** 2) * other
    return unit(np.repeat([first, second], [40, count], axis=0) + noise * rng.normal(size=(40 + count, 256)) / 4)


@given(seed=st.integers(0, 1000), few=st.integers(2, FEW - 1))
@settings(max_examples=25, deadline=None)
def test_few_windows_join_a_voice_that_many_would_not(seed, few):
    rng = np.random.default_rng(seed)
    assert set(find(between(rng, few, 0.4), lenience=0.1)) == {0}
    assert set(find(between(rng, few, 0.4), lenience=0.0)) == {0, 1}
    assert set(find(between(rng, FEW, 0.4), lenience=0.1)) == {0, 1}
    assert set(find(between(rng, few, 0.6), lenience=0.1)) == {0, 1}
    assert set(find(between(rng, few, 0.4), lenience=0.1, low=2)) == {0, 1}


def test_two_windows_are_enough_for_a_speaker_when_there_is_no_more():
    vectors, truth = voices(np.random.default_rng(7), 2, 4, run=2)
    assert find(vectors, smallest=4) == truth.tolist()
    assert find(vectors[:0]) == []
    assert find(vectors[:1]) == [0]


@given(seed=st.integers(0, 1000), shuffle=st.randoms(use_true_random=False))
@settings(max_examples=20, deadline=None)
def test_equal_windows_are_one_speaker_and_ties_do_not_matter(seed, shuffle):
    vectors, _ = voices(np.random.default_rng(seed), 3, 30, noise=0.0)
    order = list(range(30))
    shuffle.shuffle(order)
    whole, mixed = find(vectors), find(vectors[order])
    assert number_in_order(np.array(whole)[order]).tolist() == mixed


def test_many_windows_become_few_groups_that_hold_one_voice_each():
    vectors, truth = voices(np.random.default_rng(8), 5, 3000)
    groups, sums, counts = condense(vectors)
    assert len(sums) == len(counts) == groups.max() + 1 <= EXACT
    assert counts.sum() == 3000
    for group in range(len(sums)):
        assert len(set(truth[groups == group])) == 1
        np.testing.assert_allclose(sums[group], vectors[groups == group].sum(axis=0), atol=1e-4)


def test_an_hour_takes_seconds_and_little_memory():
    vectors, truth = voices(np.random.default_rng(9), 6, 9000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()
    assert find(vectors, smallest=4) == truth.tolist()
    assert time.process_time() - started < 20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 * 1024


def test_labels_do_not_depend_on_the_run():
    vectors, _ = voices(np.random.default_rng(10), 3, 1500, noise=0.08)
    assert find(vectors) == find(vectors.copy())
