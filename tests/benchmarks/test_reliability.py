from __future__ import annotations

from pathlib import Path

import pytest
from attacks import Findings, Size
from attacks.clips import speech_clips
from goals import goals_of
from reliability import ATTACKS, run_attack
from reliability_page import BEGIN, END, write_figures


def test_every_attack_has_its_goal_and_its_module():
    assert [goal.name for goal in goals_of("reliability")] == [f"reliability_{name}" for name in ATTACKS]
    modules = {path.stem for path in (Path(__file__).resolve().parents[2] / "benchmarks" / "attacks").glob("*.py")}
    assert set(ATTACKS) <= modules


def test_the_environment_sets_the_size():
    assert Size.of({}) == Size(kills=200, files=500, seed=1)
    assert Size.of({"QUICK": "1"}).kills < 200
    assert Size.of({"QUICK": "1", "KILLS": "7", "FILES": "9", "SEED": "3"}) == Size(kills=7, files=9, seed=3, quick=True)
    with pytest.raises(ValueError, match="many"):
        Size.of({"KILLS": "many"})


def test_an_attack_that_breaks_is_a_violation():
    assert run_attack("no_such_attack", Size()).violations != ()


def test_a_run_writes_its_rows_and_leaves_those_of_others(tmp_path: Path):
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nnothing yet\n{END}\nafter\n")
    write_figures(page, {"links": Findings("9 swaps.", ())}, {"links": 1.0}, Size(seed=2), tuple(ATTACKS))
    write_figures(page, {"kills": Findings("7 kills.", (), ("0 lost.",))}, {"kills": 9.0}, Size(quick=True), tuple(ATTACKS))
    write_figures(page, {"kills": Findings("200 kills.", (), ("0 lost.",))}, {"kills": 12.3}, Size(), tuple(ATTACKS))
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert [row[:28] for row in rows] == ["| `kills` | 200 kills. 0 los", "| `links` | 9 swaps. | 0 | 1"]
    assert "`make reliability ONLY=kills SEED=1 KILLS=200 FILES=500`" in rows[0]
    assert "nothing yet" not in text


def test_clips_differ_in_their_bytes_and_come_out_the_same_each_time(tmp_path: Path):
    first, again = speech_clips(tmp_path / "a", 20), speech_clips(tmp_path / "b", 20)
    contents = [path.read_bytes() for path in first]
    assert len(set(contents)) == 20
    assert contents == [path.read_bytes() for path in again]
