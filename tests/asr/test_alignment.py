from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trax.asr.alignment import aligned
from trax.audio.pcm import SAMPLE_RATE
from trax.transcript import Word


def tones(*spans: tuple[float, float], seconds: float = 6.0) -> np.ndarray:
    """Loud from start to end (seconds) of each span, and all but silent elsewhere."""
    sound = 1e-4 * np.random.default_rng(1).standard_normal(round(seconds * SAMPLE_RATE))
    for start, end in spans:
        place = slice(round(start * SAMPLE_RATE), round(end * SAMPLE_RATE))
        sound[place] += 0.3 * np.sin(np.arange(place.stop - place.start) / 5)
    return sound.astype(np.float32)


def test_words_go_where_the_sound_is_whatever_the_tokens_say():
    spans = ((1.0, 1.4), (1.6, 2.1), (3.0, 3.4))
    wrong = [Word(text, 1.0, 1.1, 0.5) for text in ("four", "seven", "nine")]
    placed = aligned(wrong, 1.0, 3.4, tones(*spans))
    for word, (start, end) in zip(placed, spans, strict=True):
        assert word.start <= start + 0.05
        assert word.end >= end - 0.05
    assert all(before.end - 0.05 <= start for before, (start, _) in zip(placed, spans[1:], strict=False))


def test_two_words_without_a_pause_share_the_sound_by_their_letters():
    placed = aligned([Word("a", 1, 2, 0.5), Word("considerable", 2, 3, 0.5)], 1.0, 3.0, tones((1.0, 3.0)))
    assert placed[0].end - placed[0].start < placed[1].end - placed[1].start


def test_of_equal_cuts_the_one_near_the_token_is_taken():
    early, late = (
        aligned([Word("four", 1, middle, 0.5), Word("five", middle, 3, 0.5)], 1.0, 3.0, tones((1.0, 3.0)))[0].end for middle in (1.5, 2.5)
    )
    assert early < late


@settings(max_examples=50)
@given(st.lists(st.text("abc", min_size=1, max_size=9), max_size=20), st.floats(0, 5), st.floats(0, 5), st.integers(0, 40_000))
def test_the_same_words_in_order_inside_the_segment(texts, start, length, count):
    sound = np.random.default_rng(2).standard_normal(count).astype(np.float32)
    words = [Word(text, start, start + length, 0.5) for text in texts]
    placed = aligned(words, start, start + length, sound)
    assert [word.text for word in placed] == texts
    assert all(word.start <= word.end and word.start >= start - 0.06 and word.end <= start + length + 0.06 for word in placed)
    if list(placed) != words:
        assert all(first.end == second.start for first, second in pairwise(placed))
    assert aligned(words, start, start + length, sound) == placed


def test_no_words_and_no_room():
    assert aligned([], 0, 1, tones()) == ()
    word = Word("so", 9, 9.5, 0.5)
    assert aligned([word], 9, 9.5, tones()) == (word,)


def test_real_digits_lie_where_they_were_put(whisper_model, whisper_card, talk_of_digits, hear):
    """Over 40 digits of six people: the times of those that are heard are within 100 ms (median)."""
    _, reference = talk_of_digits(40)
    errors = []
    for word in hear(whisper_model, 40, 30.0):
        near = [abs(word.start - start) + abs(word.end - end) for text, start, end in reference if text == word.text.strip(",.").lower()]
        errors.append(min(near, default=2.0) / 2)
    assert len(errors) >= 0.9 * len(reference)
    assert np.median(errors) == pytest.approx(0, abs=0.1)
