from __future__ import annotations

import math
from dataclasses import replace

import pytest
from digit_beds import KNOWN
from goals import goal_lines, goals_of
from machine import Machine
from page_sections import with_section
from surroundings import SURROUNDINGS
from timed_alignment import Pair, aligned
from two_passes import goal_values
from two_passes_page import section, tables
from two_passes_result import BETTER, BOTH, FAST, Result, Way, discrimination, doubt_needed, total

from trax.transcript import Word

SAID = [Word(text, start, start + 0.5, 1.0) for start, text in enumerate(["one", "two", "six", "ten"] * 5)]


def heard(*, wrong: int, off: float = 0.02) -> tuple[Pair, ...]:
    """Of the words the first so many wrong, the others right, all a little late."""
    said_so = [
        Word("oh" if at < wrong else word.text, word.start + off, word.end + off, 0.2 if at < wrong else 0.95)
        for at, word in enumerate(SAID)
    ]
    return aligned(SAID, said_so)


def result(fast: int, better: int, both: int) -> Result:
    ways = {FAST: Way(heard(wrong=fast), 1.0), BETTER: Way(heard(wrong=better), 3.0), BOTH: Way(heard(wrong=both), 1.5)}
    return Result(ways, tuple(0.5 if at < fast - 1 else math.inf for at in range(len(SAID))), audio=20.0, refined=5.0)


RESULTS = {name: result(fast=6, better=1, both=2) for name in (KNOWN, *SURROUNDINGS)}


def test_every_goal_is_measured():
    values, skipped = goal_values(RESULTS)
    assert len(goal_lines(goals_of("two_passes"), values, skipped)) == 9
    assert values["two_passes_gain"] == pytest.approx(80)
    assert values["two_passes_cost"] == pytest.approx(25)
    assert values["two_passes_clean_accuracy"] == pytest.approx(90)
    assert values["doubt_errors_held"] == pytest.approx(100 * 5 / 6)
    assert values["doubt_words"] == pytest.approx(25)
    assert values["word_times_median_ms"] == pytest.approx(20)


def test_without_a_better_model_there_is_no_gain_to_keep():
    values, skipped = goal_values({name: result(fast=2, better=2, both=2) for name in RESULTS})
    assert set(skipped) == {"two_passes_gain", "two_passes_cost"}
    assert len(goal_lines(goals_of("two_passes"), values, skipped)) == 9


def test_results_add_up():
    both = total([RESULTS[KNOWN], RESULTS[KNOWN]])
    assert (both.audio, both.refined, both.ways[BETTER].work) == (40, 10, 6)
    assert both.ways[FAST].errors.errors == 12
    assert both.errors_doubted() == RESULTS[KNOWN].errors_doubted()


def test_scores_that_tell_right_from_wrong_have_an_area_of_one_and_those_of_chance_a_half():
    told = heard(wrong=4)
    assert discrimination(told) == discrimination(heard(wrong=0)) == 1
    assert doubt_needed(told) == pytest.approx(4 / 20)
    assert doubt_needed(heard(wrong=0)) == 0
    blind = [replace(pair, heard=replace(pair.heard, score=0.5)) for pair in told]
    assert discrimination(blind) == 0.5


def test_the_tables_show_each_bed_and_the_section_its_origin():
    text = tables(RESULTS)
    for table in text.split("\n\n"):
        assert len({row.count("|") for row in table.splitlines()}) == 1
    assert f"| {KNOWN} | 20 | 30.00 | 5.00 | 10.00 | 25 % | 3.00 | 9.00 | 4.50 |" in text
    page = section(text, windows=2, machine=Machine("Some CPU 9", 2, 7.8, "3.11.7"), command="make accuracy", date="2026-01-02")
    assert "`make accuracy` on 2026-01-02" in page
    assert "Some CPU 9" in page


def test_a_section_is_replaced_and_nothing_else():
    page = "# A\n<!-- b -->\nformer\n<!-- end of b -->\nafter\n"
    assert with_section(page, "b", "new\n") == "# A\n<!-- b -->\nnew\n<!-- end of b -->\nafter\n"
    with pytest.raises(ValueError, match="lacks"):
        with_section(page, "c", "new")
