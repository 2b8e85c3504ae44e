import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trax.diarize.cluster import number_in_order
from trax.diarize.spectral import k_means, spectral


def talk(rng: np.random.Generator, speakers: int, windows: int, noise: float = 0.05) -> tuple[np.ndarray, np.ndarray]:
    voices = np.linalg.qr(rng.normal(size=(64, speakers)))[0].T
    truth = number_in_order(rng.permutation(np.arange(windows) % speakers))
    vectors = voices[truth] + noise * rng.normal(size=(windows, 64))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True), truth


@given(seed=st.integers(0, 1000), speakers=st.integers(2, 6))
@settings(max_examples=25, deadline=None)
def test_separate_voices_are_found(seed, speakers):
    vectors, truth = talk(np.random.default_rng(seed), speakers, 30 * speakers)
    assert number_in_order(spectral(vectors, min_speakers=1, max_speakers=10)).tolist() == truth.tolist()


@given(seed=st.integers(0, 1000), count=st.integers(1, 40), low=st.integers(1, 6), more=st.integers(0, 4))
@settings(max_examples=40, deadline=None)
def test_the_number_of_speakers_stays_within_its_bounds(seed, count, low, more):
    vectors = np.random.default_rng(seed).normal(size=(count, 16))
    labels = spectral(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), min_speakers=low, max_speakers=low + more)
    assert labels.shape == (count,)
    assert labels.max() < min(low + more, count)


def test_equal_input_gives_equal_labels():
    vectors, _ = talk(np.random.default_rng(3), 4, 100, noise=0.2)
    assert spectral(vectors, min_speakers=1, max_speakers=10).tolist() == spectral(vectors.copy(), min_speakers=1, max_speakers=10).tolist()


@given(seed=st.integers(0, 1000), clusters=st.integers(1, 5))
@settings(max_examples=30, deadline=None)
def test_k_means_ends_where_every_point_is_with_its_nearest_mean(seed, clusters):
    points = np.random.default_rng(seed).normal(size=(40, 3))
    labels = k_means(points, clusters)
    assert set(labels.tolist()) == set(range(clusters))
    means = np.stack([points[labels == each].mean(axis=0) for each in range(clusters)])
    nearest = ((points[:, None] - means) ** 2).sum(axis=2)
    assert nearest[np.arange(40), labels] == pytest.approx(nearest.min(axis=1))
