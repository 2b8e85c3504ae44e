"""Goals: what a run measured against `goals.yaml`, one line each, each goal of the run exactly once, fields without spaces.

- `goal <name> <value> <target> met|missed`: a gate; missed, the command fails
- `aim <name> <value> <target> met|missed`: never fails the command
- `goal <name> skipped <reason>`: could not be measured in this run
"""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

GOALS_FILE = Path(__file__).with_name("goals.yaml")

_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    "<": operator.lt,
    "==": operator.eq,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True, slots=True)
class Goal:
    """One goal: the value is right when `value comparison bound` holds."""

    name: str
    command: str
    comparison: str
    bound: float
    unit: str
    kind: Literal["gate", "aim"]

    def is_met(self, value: float) -> bool:
        """Whether a value meets the target; one that is not a number never does."""
        return _COMPARISONS[self.comparison](value, self.bound)


def read_goal(plain: Mapping[str, Any]) -> Goal:
    """A goal from its entry in the file. Raises KeyError or ValueError when the entry is wrong."""
    comparison, _, bound = str(plain["target"]).partition(" ")
    name, kind = str(plain["name"]), plain["kind"]
    if comparison not in _COMPARISONS:
        raise ValueError(f"{name}: the target must be a comparison, a space and a number, such as '<= 2', not {plain['target']!r}")
    if kind not in {"gate", "aim"}:
        raise ValueError(f"{name}: kind must be gate or aim, not {kind!r}")
    if not name or len(name.split()) != 1:
        raise ValueError(f"{name!r}: a name has no spaces")
    return Goal(name, str(plain["command"]), comparison, float(bound), str(plain["unit"]), "gate" if kind == "gate" else "aim")


def read_goals(text: str) -> tuple[Goal, ...]:
    """Every goal of a file's text. Raises ValueError when two share a name."""
    goals = tuple(read_goal(plain) for plain in yaml.safe_load(text))
    if len({goal.name for goal in goals}) != len(goals):
        raise ValueError("two goals share a name")
    return goals


def _number(value: float) -> str:
    return f"{value:.6g}" if value % 1 else f"{value:.0f}"


def goal_line(goal: Goal, value: float) -> str:
    """What is printed of a goal that was measured."""
    word = "goal" if goal.kind == "gate" else "aim"
    verdict = "met" if goal.is_met(value) else "missed"
    return f"{word} {goal.name} {_number(value)} {goal.comparison}{_number(goal.bound)} {verdict}"


def goal_lines(goals: Iterable[Goal], values: Mapping[str, float], skipped: Mapping[str, str]) -> tuple[str, ...]:
    """One line for each goal, in their order; `skipped` gives the reason for each that was not measured.

    Raises ValueError unless every goal is either measured or skipped, and nothing else is.
    """
    goals = tuple(goals)
    names = [goal.name for goal in goals]
    if sorted(names) != sorted([*values, *skipped]):
        raise ValueError(f"goals {sorted(names)} but measured {sorted(values)} and skipped {sorted(skipped)}")
    return tuple(
        f"goal {goal.name} skipped {'-'.join(skipped[goal.name].split())}" if goal.name in skipped else goal_line(goal, values[goal.name])
        for goal in goals
    )


def any_missed(goals: Iterable[Goal], values: Mapping[str, float]) -> bool:
    """Whether a gate was missed."""
    return any(goal.kind == "gate" and goal.name in values and not goal.is_met(values[goal.name]) for goal in goals)


def goals_of(command: str) -> tuple[Goal, ...]:
    """The goals that a command measures, from `goals.yaml`."""
    return tuple(goal for goal in read_goals(GOALS_FILE.read_text(encoding="utf-8")) if goal.command == command)


def report(command: str, values: Mapping[str, float], skipped: Mapping[str, str] | None = None) -> int:
    """Print the goals of a command; returns its exit status, 1 when a gate was missed."""
    goals = goals_of(command)
    for line in goal_lines(goals, values, skipped or {}):
        print(line)
    return int(any_missed(goals, values))


def report_failure(command: str, what: str) -> int:
    """Say what kept a command from measuring, and that its goals are skipped; returns its exit status, 1."""
    print(what, file=sys.stderr)
    for line in goal_lines(goals_of(command), {}, {goal.name: "the run failed" for goal in goals_of(command)}):
        print(line)
    return 1
