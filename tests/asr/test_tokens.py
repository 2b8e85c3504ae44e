from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trax.asr.tokens import Token, words_of


def tokens(*pieces: bytes | str, probability: float = 0.9) -> list[Token]:
    """Tokens half a second long, one after the other."""
    data = [piece.encode() if isinstance(piece, str) else piece for piece in pieces]
    return [Token(piece, index / 2, index / 2 + 0.5, probability) for index, piece in enumerate(data)]


def texts(*pieces: bytes | str, language="en") -> list[str]:
    return [word.text for word in words_of(tokens(*pieces), language)]


def test_a_space_begins_a_word():
    words = words_of(tokens(" un", "believ", "able", " news", "."), "en")
    assert [(word.text, word.start, word.end) for word in words] == [("unbelievable", 0, 1.5), ("news.", 1.5, 2.0)]


def test_the_score_is_the_mean_of_the_tokens_without_punctuation():
    unsure = [Token(b" al", 0, 1, 0.5), Token(b"so", 1, 2, 1.0), Token(b",", 2, 9, 0.01)]
    (word,) = words_of(unsure, "en")
    assert (word.text, word.end, word.score) == ("also,", 2, 0.75)


def test_a_character_split_over_tokens_is_joined_before_it_is_decoded():
    naive = " naïve".encode()
    assert texts(naive[:4], naive[4:], " café") == ["naïve", "café"]
    japan = "日本".encode()
    assert texts(japan[:2], japan[2:4], japan[4:], "語", "。", language="ja") == ["日本", "語。"]


def test_captions_of_what_is_no_speech_are_left_out():
    assert texts(" [", "BL", "ANK", "_", "AUDIO", "]") == []
    assert texts(" [Music", " playing]", " hello") == ["hello"]
    assert texts(" so", " (laughs)", " yes", " ♪", " *coughs*.") == ["so", "yes"]
    assert texts(" ♪", " la", " la", " ♪", " stop") == ["stop"]
    assert texts(" [", "one", " two", " three", " four", " five", " six", " seven", " eight") == [
        *["[one", "two", "three", "four", "five", "six", "seven", "eight"]
    ]


def test_a_word_has_some_length():
    (word,) = words_of([Token(b" oh", 1.0, 1.0, 0.5)], "en")
    assert word.end == pytest.approx(1.02)


@given(st.lists(st.binary(max_size=6), max_size=20), st.sampled_from(["en", "ja", "de"]))
def test_any_bytes_give_words_with_text_in_order(pieces, language):
    words = words_of(tokens(*pieces), language)
    assert all(word.text.strip() and 0 <= word.score <= 1 and word.end > word.start for word in words)
    assert [word.start for word in words] == sorted(word.start for word in words)


@given(st.text(alphabet="abcdé日 ", max_size=40), st.lists(st.integers(1, 100), max_size=10))
def test_however_text_is_cut_into_tokens_nothing_is_lost(text, cuts):
    data = text.encode()
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    pieces = [data[a:b] for a, b in itertools.pairwise(places)]
    assert "".join(word.text for word in words_of(tokens(*pieces), "en")).replace(" ", "") == text.replace(" ", "")
