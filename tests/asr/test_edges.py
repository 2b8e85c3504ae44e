from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trax.asr.edges import trimmed
from trax.audio.pcm import SAMPLE_RATE
from trax.transcript import Word

SOUND = np.zeros(3 * SAMPLE_RATE, dtype=np.float32)
SOUND[SAMPLE_RATE : 2 * SAMPLE_RATE] = 0.3 * np.sin(np.arange(SAMPLE_RATE))


def test_pauses_at_the_edges_are_taken_off():
    word = trimmed(Word("so", 0.2, 2.9, 0.5), SOUND)
    assert (word.start, word.end) == (pytest.approx(0.97), pytest.approx(2.03))
    assert (word.text, word.score) == ("so", 0.5)


@given(st.floats(0, 4), st.floats(0, 4))
def test_a_word_only_becomes_shorter(start, length):
    word = Word("so", start, start + length, 0.5)
    new = trimmed(word, SOUND)
    assert word.start <= new.start <= new.end <= max(word.end, new.start)


def test_silence_and_nothing_are_left_alone():
    assert trimmed(Word("so", 0.1, 0.5, 0.5), SOUND) == Word("so", 0.1, 0.5, 0.5)
    assert trimmed(Word("so", 7, 8, 0.5), SOUND) == Word("so", 7, 8, 0.5)
