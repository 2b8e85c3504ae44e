import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trax.diarize.changes import find_changes, of_one_voice
from trax.diarize.windows import LENGTH, plan_windows
from trax.transcript import Span

VOICES = np.linalg.qr(np.random.default_rng(0).normal(size=(64, 4)))[0].T


def said(parts: list[tuple[int, float]]) -> tuple[np.ndarray, np.ndarray]:
    """Windows and what they sound like, of voices that speak for so many seconds without a pause; a window across a change mixes both."""
    ends = list(itertools.accumulate(length for _, length in parts))
    windows = plan_windows([Span(0.0, ends[-1])])
    vectors = np.zeros((len(windows), 64))
    for (voice, length), end in zip(parts, ends, strict=True):
        shared = np.clip(np.minimum(windows[:, 1], end) - np.maximum(windows[:, 0], end - length), 0, None)
        vectors += shared[:, None] * VOICES[voice]
    return windows, vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@given(lengths=st.lists(st.floats(3, 8), min_size=1, max_size=6))
@settings(max_examples=40, deadline=None)
def test_changes_are_found_where_the_voices_change_and_nowhere_else(lengths):
    windows, vectors = said([(number % 4, length) for number, length in enumerate(lengths)])
    found = find_changes(windows, vectors, 0.3)
    assert found == pytest.approx(list(itertools.accumulate(lengths))[:-1], abs=0.41)


@given(lengths=st.lists(st.floats(3, 8), min_size=2, max_size=6))
@settings(max_examples=40, deadline=None)
def test_windows_of_one_voice_sound_like_it(lengths):
    windows, vectors = said([(number % 4, length) for number, length in enumerate(lengths)])
    alone = of_one_voice(windows, find_changes(windows, vectors, 0.3))
    closest = (vectors @ VOICES.T).max(axis=1)
    assert closest[alone].min() > 0.8
    assert alone.mean() > 1 - 2 * LENGTH * (len(lengths) - 1) / sum(lengths)


def test_one_voice_does_not_change():
    windows, vectors = said([(1, 30.0)])
    assert find_changes(windows, vectors, 0.3).size == 0
    assert of_one_voice(windows, np.zeros(0)).all()


def test_pauses_are_no_changes():
    windows = plan_windows([Span(0.0, 5.0), Span(6.0, 10.0)])
    vectors = VOICES[(windows[:, 0] > 5.5).astype(int)]
    assert find_changes(windows, vectors, 0.3).size == 0


def test_no_windows_have_no_changes():
    assert find_changes(np.zeros((0, 2)), np.zeros((0, 64)), 0.3).size == 0
