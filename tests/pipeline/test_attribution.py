"""Who said which word, against a reference that tries everything."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from trax.pipeline.attribution import attribute
from trax.pipeline.tidy import milliseconds, tidy_turns
from trax.transcript import Turn, Word

LIMIT_MS = 1000


def words_at(*spans: tuple[float, float]) -> list[Word]:
    return [Word("w", start, end, 1.0) for start, end in spans]


def speakers(words: list[Word], turns: list[Turn]) -> list[str | None]:
    return [word.speaker for word in attribute(words, turns)]


def reference(word: Word, turns: tuple[Turn, ...]) -> str | None:
    """By definition: every turn is compared with the word."""
    start, end = milliseconds(word.start), milliseconds(word.end)
    talk: dict[str, int] = {}
    distances: list[tuple[int, int, str]] = []
    for order, turn in enumerate(turns):
        first, last = milliseconds(turn.start), milliseconds(turn.end)
        overlap = min(last, end) - max(first, start)
        if overlap > 0:
            talk[turn.speaker] = talk.get(turn.speaker, 0) + overlap
        distances.append((max(first - end, start - last), order, turn.speaker))
    if talk:
        most = max(talk.values())
        return next(speaker for speaker in talk if talk[speaker] == most)
    distance, _, speaker = min(distances, default=(LIMIT_MS + 1, 0, ""))
    return speaker if distance <= LIMIT_MS else None


@st.composite
def ordered_words(draw: st.DrawFn) -> list[Word]:
    steps = draw(st.lists(st.tuples(st.integers(0, 1500), st.integers(1, 900)), max_size=30))
    now, words = 0, []
    for gap, length in steps:
        words.append(Word("w", (now + gap) / 1000, (now + gap + length) / 1000, 1.0))
        now += gap + length
    return words


turn_lists = st.lists(
    st.builds(
        lambda start, length, speaker: Turn(start / 1000, (start + length) / 1000, f"SPEAKER_{speaker:02d}"),
        st.integers(0, 20_000),
        st.integers(1, 4_000),
        st.integers(0, 3),
    ),
    max_size=20,
)


@given(ordered_words(), turn_lists)
def test_the_sweep_equals_the_definition(words: list[Word], turns: list[Turn]) -> None:
    tidy = tidy_turns(turns, 60.0)
    assert [word.speaker for word in attribute(words, tidy)] == [reference(word, tidy) for word in words]


def test_the_larger_overlap_wins() -> None:
    turns = [Turn(0, 1.0, "SPEAKER_00"), Turn(1.0, 2.0, "SPEAKER_01")]
    assert speakers(words_at((0.5, 1.4), (1.4, 1.9)), turns) == ["SPEAKER_00", "SPEAKER_01"]


def test_two_turns_of_one_speaker_count_together() -> None:
    turns = [Turn(0, 0.3, "SPEAKER_00"), Turn(0.3, 0.7, "SPEAKER_01"), Turn(0.7, 1.0, "SPEAKER_00")]
    assert speakers(words_at((0.0, 1.0)), turns) == ["SPEAKER_00"]


def test_a_word_outside_all_turns_goes_to_the_nearest_within_the_limit() -> None:
    turns = [Turn(0, 1.0, "SPEAKER_00"), Turn(5.0, 6.0, "SPEAKER_01")]
    words = words_at((1.5, 1.6), (2.0, 2.1), (2.5, 3.5), (4.0, 4.2), (7.0, 7.1), (7.2, 7.3))
    assert speakers(words, turns) == ["SPEAKER_00", "SPEAKER_00", None, "SPEAKER_01", "SPEAKER_01", None]


def test_without_turns_nobody_spoke() -> None:
    assert speakers(words_at((0, 1)), []) == [None]


def test_four_hours_take_no_time_to_speak_of() -> None:
    words = words_at(*((0.36 * i, 0.36 * i + 0.3) for i in range(40_000)))
    turns = [Turn(1.44 * i, 1.44 * i + 1.6, f"SPEAKER_{i % 4:02d}") for i in range(10_000)]
    before = time.process_time()
    attributed = attribute(words, turns)
    assert time.process_time() - before < 5
    assert [word.speaker for word in attributed[::997]] == [reference(word, tuple(turns)) for word in words[::997]]
