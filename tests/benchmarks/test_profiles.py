from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from goals import goal_lines, goals_of
from machine import Machine
from page_sections import with_section
from profiles import HALVES, OTHERS, UTTERANCES, Counts, Pair, equal_error, goal_values, named, section, table

THRESHOLDS = {"accept": 0.9, "suggest": 0.7}


def voice(*degrees: float) -> np.ndarray:
    return np.array([np.cos(np.radians(degrees[0])), np.sin(np.radians(degrees[0]))])


def person(name: str, enrolled: float, heard: float) -> Pair:
    return Pair(name, voice(enrolled), voice(heard))


def test_those_enrolled_are_counted_among_others_and_strangers_without_themselves():
    people = [person("anna", 0, 5), person("ben", 90, 130), person("cem", 180, 181)]
    counts = named(people, people, THRESHOLDS)
    assert (counts.known, counts.strangers) == (60, 60)
    assert counts.known_accepted == 40, "anna and cem, each time"
    assert counts.known_suggested == 20, "ben, who sounds a little like himself"
    assert (counts.known_as_another, counts.strangers_accepted) == (0, 0)
    twins = [person("anna", 0, 0), person("ben", 10, 10)]
    assert named(twins, twins, THRESHOLDS).strangers_accepted == 40


def test_the_equal_error_rate_of_voices_far_apart_is_nothing_and_of_all_alike_everything():
    assert equal_error([person("anna", 0, 1), person("ben", 90, 91)]) == 0
    assert equal_error([person("anna", 0, 90), person("ben", 90, 0)]) >= 0.5


def test_every_goal_is_measured_and_the_section_fits_the_page():
    counts = dict.fromkeys((HALVES, OTHERS, UTTERANCES), Counts(100, 90, 6, 0, 100, 1, 10))
    values = goal_values(counts)
    assert len(goal_lines(goals_of("profiles"), values, {})) == 4
    assert values["profiles_strangers_named"] == pytest.approx(1)
    assert values["profiles_known_not_named"] == pytest.approx(10)
    assert values["profiles_known_missed"] == pytest.approx(4)
    text = section(
        table(counts, dict.fromkeys(counts, 0.05)),
        model={"name": "ge2e", "version": "1"},
        thresholds=THRESHOLDS,
        machine=Machine("a processor", 2, 8.0, "3.11.7"),
        command="make accuracy",
        date="2026-11-28",
    )
    page = (Path(__file__).resolve().parents[2] / "docs" / "accuracy.md").read_text()
    assert text.strip() in with_section(page, "speaker profiles", text)
