"""Goal lines, and the goals themselves."""

import pytest
from goals import GOALS_FILE, any_missed, goal_lines, goals_of, read_goals, report, report_failure

GOALS = read_goals(
    """
- {name: wrong, command: accuracy, target: "<= 2", unit: percent, kind: gate}
- {name: fast, command: accuracy, target: "> 0.5", unit: x, kind: aim}
- {name: answers, command: accuracy, target: "== 200", unit: files, kind: gate}
"""
)


def test_each_goal_has_its_line():
    lines = goal_lines(GOALS, {"wrong": 2.0, "fast": 0.5, "answers": 200}, {})
    assert lines == ("goal wrong 2 <=2 met", "aim fast 0.5 >0.5 missed", "goal answers 200 ==200 met")


def test_a_goal_that_was_not_measured_gives_its_reason_without_spaces():
    lines = goal_lines(GOALS, {"wrong": 3.14159, "fast": 1}, {"answers": "no disk"})
    assert lines == ("goal wrong 3.14159 <=2 missed", "aim fast 1 >0.5 met", "goal answers skipped no-disk")
    assert all(len(line.split()) in {4, 5} for line in lines)


@pytest.mark.parametrize(
    ("value", "printed"), [(float("inf"), "inf"), (float("nan"), "nan"), (2.0001, "2.0001"), (1e-9, "1e-09"), (1234567.0, "1234567")]
)
def test_a_value_is_printed_so_that_it_does_not_contradict_its_verdict(value, printed):
    assert goal_lines(GOALS[:1], {"wrong": value}, {}) == (f"goal wrong {printed} <=2 {'met' if value <= 2 else 'missed'}",)


def test_only_a_missed_gate_counts_as_missed():
    assert not any_missed(GOALS, {"wrong": 0, "fast": 0, "answers": 200})
    assert any_missed(GOALS, {"wrong": 0, "fast": 1, "answers": 199})
    assert any_missed(GOALS, {"wrong": float("nan"), "fast": 1, "answers": 200})
    assert not any_missed(GOALS, {"fast": 1})


@pytest.mark.parametrize(
    ("values", "skipped"),
    [
        ({"wrong": 1, "fast": 1}, {}),
        ({"wrong": 1, "fast": 1, "answers": 1}, {"answers": "twice"}),
        ({"wrong": 1, "fast": 1, "answers": 1, "other": 1}, {}),
    ],
)
def test_a_goal_left_out_told_twice_or_unknown_is_an_error(values, skipped):
    with pytest.raises(ValueError, match="measured"):
        goal_lines(GOALS, values, skipped)


@pytest.mark.parametrize(
    "entry",
    [
        "{name: a, command: c, target: '2', unit: u, kind: gate}",
        "{name: a, command: c, target: '<= two', unit: u, kind: gate}",
        "{name: a, command: c, target: '<= 2', unit: u, kind: wish}",
        "{name: a b, command: c, target: '<= 2', unit: u, kind: aim}",
    ],
)
def test_a_goal_that_is_written_wrongly_is_an_error(entry):
    with pytest.raises(ValueError, match=r".+"):
        read_goals(f"- {entry}")


def test_two_goals_of_one_name_are_an_error():
    entry = "- {name: a, command: c, target: '<= 2', unit: u, kind: gate}\n"
    with pytest.raises(ValueError, match="share a name"):
        read_goals(entry + entry)


def test_the_goals_file_reads_and_every_command_is_a_script():
    for goal in read_goals(GOALS_FILE.read_text()):
        assert GOALS_FILE.with_name(f"{goal.command}.py").is_file()


def test_a_missed_gate_fails_the_command(capsys):
    values = {goal.name: goal.bound for goal in goals_of("many_files")}
    assert report("many_files", values) == 0
    assert report("many_files", values | {"many_files_answers": 199}) == 1
    assert "goal many_files_answers 199 ==200 missed" in capsys.readouterr().out.splitlines()


def test_a_run_that_failed_skips_its_goals_and_fails(capsys):
    assert report_failure("accuracy", "The daemon ended by itself.") == 1
    printed = capsys.readouterr()
    assert printed.err.startswith("The daemon ended")
    assert printed.out.splitlines() == [f"goal {goal.name} skipped the-run-failed" for goal in goals_of("accuracy")]
