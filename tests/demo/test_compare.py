"""How the demo counts what was heard rightly."""

from __future__ import annotations

import pytest
from compare import Comparison, compare


def turn(speaker: str, start: float, text: str) -> dict[str, object]:
    """A word a second."""
    words = [{"text": word, "start": start + at, "end": start + at + 0.5} for at, word in enumerate(text.split())]
    return {"speaker": speaker, "start": start, "end": words[-1]["end"], "text": text, "words": words}


def heard(speaker: str, start: float, text: str) -> list[dict[str, object]]:
    return [{"word": word, "start": start + at, "end": start + at + 0.5, "speaker": speaker} for at, word in enumerate(text.split())]


TURNS = [turn("Roger", 0, "one two three"), turn("Susan", 10, "four five"), turn("Roger", 20, "six")]


def test_all_of_it() -> None:
    words = [*heard("B", 0.25, "One, two three."), *heard("A", 10.25, "four five"), *heard("B", 20, "six")]
    assert compare(TURNS, words) == Comparison(said=6, right=6, wrong=0, missed=0, added=0, late=0.25, turns=3, turns_right=3)


def test_each_kind_of_mistake() -> None:
    missing = compare(TURNS, [*heard("A", 0, "one two eight"), *heard("B", 10, "four"), *heard("A", 20, "six")])
    assert (missing.right, missing.wrong, missing.missed, missing.added, missing.turns_right) == (4, 1, 1, 0, 3)
    more = compare(TURNS, [*heard("A", 0, "one two three"), *heard("B", 8, "nine nine four five"), *heard("A", 20, "six")])
    assert (more.right, more.wrong, more.missed, more.added, more.turns_right) == (6, 0, 0, 2, 3)


def test_one_speaker_for_all_is_right_for_one_voice() -> None:
    assert compare(TURNS, [word for turn in TURNS for word in heard("A", turn["start"], turn["text"])]).turns_right == 2


def test_a_voice_that_is_split_is_right_in_the_turns_of_one_half() -> None:
    words = [*heard("A", 0, "one two three"), *heard("B", 10, "four five"), *heard("C", 20, "six")]
    assert compare(TURNS, words).turns_right == 2


def test_a_turn_goes_to_whom_most_of_its_words_have() -> None:
    words = [*heard("A", 0, "one two"), *heard("B", 2, "three"), *heard("B", 10, "four five"), *heard("A", 20, "six")]
    assert compare(TURNS, words).turns_right == 3


@pytest.mark.parametrize("words", [[], [{"word": "—", "start": 0.0, "end": 0.1}]])
def test_nothing_heard(words: list[dict[str, object]]) -> None:
    assert compare(TURNS, words) == Comparison(said=6, right=0, wrong=0, missed=6, added=0, late=None, turns=3, turns_right=0)
