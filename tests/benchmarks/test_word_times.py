from __future__ import annotations

from pathlib import Path

import numpy as np
from page_sections import with_section
from timed_alignment import aligned
from word_times import by_attention, by_tokens, section, table

from trax.asr.tokens import Token
from trax.asr.whisper_cpp import HeardSegment
from trax.transcript import Word

PAGE = Path(__file__).resolve().parents[2] / "docs" / "accuracy.md"
SOUND = np.zeros(0, np.float32)


def heard(*times: tuple[float, float]) -> HeardSegment:
    return HeardSegment(1.0, 3.0, tuple(Token(b" one", start, end, 0.9) for start, end in times))


def test_token_times_are_taken_as_they_are() -> None:
    assert [(word.start, word.end) for word in by_tokens(heard((1.0, 1.5), (2.0, 2.5)), SOUND)] == [(1.0, 1.5), (2.0, 2.5)]


def test_a_word_that_is_attended_to_lasts_until_the_next_or_the_end_of_the_segment() -> None:
    assert [(word.start, word.end) for word in by_attention(heard((1.1, 1.1), (2.0, 2.0)), SOUND)] == [(1.1, 2.0), (2.0, 3.0)]
    assert [(word.start, word.end) for word in by_attention(heard((3.5, 3.5)), SOUND)] == [(3.5, 3.5)]
    assert list(by_attention(HeardSegment(1.0, 3.0, (Token(b" ,", 1.0, 1.0, 0.9),)), SOUND)) == []


def test_the_table_counts_right_words_alone_and_the_page_has_room_for_it() -> None:
    said = [Word(text, start, start + 0.5, 1.0) for start, text in enumerate(["one", "two", "six"])]
    late = [Word("oh" if word.text == "six" else word.text, word.start + 0.02, word.end + 0.05, 0.9) for word in said]
    text = table({"some way": aligned(said, late)})
    assert "| some way | 2 | 20 | 20 | 50 | 50 |" in text
    assert text in with_section(PAGE.read_text(encoding="utf-8"), "word times", section(text, 2))
