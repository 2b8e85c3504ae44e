from __future__ import annotations

import random
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from goals import goal_lines, goals_of
from machine import Machine
from page_sections import with_section
from scoring import WordDiarizationErrors, WordErrors
from words_and_turns import FOUND, METHODS, TRUE, Said, Score, as_heard, conversation, goal_values, score, section, table, true_turns

from trax.transcript import Word

TEXTS = [("one", "anna"), ("two", "anna"), ("six.", "ben"), ("ten.", "anna"), ("five", "ben"), ("four.", "ben")]
SAID = [Said(Word(text, at * 0.5, at * 0.5 + 0.4, 1.0, who), is_thrown_in=text == "six.") for at, (text, who) in enumerate(TEXTS)]


def test_words_given_as_they_were_said_are_right_and_one_thrown_in_that_is_not_is_lost():
    assert score(SAID, [each.word for each in SAID]) == Score(WordDiarizationErrors(0, 6), WordErrors(words=6), lost=0, thrown_in=1)
    swallowed = [Word(each.word.text, 0, 1, 1.0, "x" if at < 4 else "y") for at, each in enumerate(SAID)]
    found = score(SAID, swallowed)
    assert (found.words.wrong, found.lost, found.cp.errors) == (1, 1, 2)


def test_every_goal_is_measured_and_the_section_fits_the_page():
    some = Score(WordDiarizationErrors(4, 100), WordErrors(words=100), 1, 10)
    scores = {(kind, method): some for kind in (FOUND, TRUE) for method in METHODS}
    scores[TRUE, "realigned"] = Score(WordDiarizationErrors(3, 100), WordErrors(words=100), 2, 10)
    values = goal_values(scores)
    assert len(goal_lines(goals_of("words_and_turns"), values, {})) == 3
    assert values["words_realignment_gain"] == pytest.approx(25)
    assert values["words_realignment_loses_thrown_in"] == pytest.approx(10)
    assert values["words_realignment_worse"] == 0
    text = section(table(scores), machine=Machine("a processor", 2, 8.0, "3.11.7"), command="make accuracy", date="2026-11-28", count=12)
    page = (Path(__file__).resolve().parents[2] / "docs" / "accuracy.md").read_text()
    assert text.strip() in with_section(page, "words and turns", text)


def test_a_conversation_is_the_same_each_time_and_its_words_lie_in_it(data_folder: Path):
    samples, said = conversation(data_folder, 3)
    again, _ = conversation(data_folder, 3)
    assert np.array_equal(samples, again)
    assert any(each.is_thrown_in for each in said)
    assert all(one.word.end <= other.word.start for one, other in pairwise(said))
    assert said[-1].word.end <= len(samples) / 16_000
    words, turns = as_heard(said, random.Random(0)), true_turns(said, random.Random(0))
    assert {turn.speaker for turn in turns} == {each.word.speaker for each in said}
    assert score(said, METHODS["overlap"](words, turns)).words.rate < 0.1
