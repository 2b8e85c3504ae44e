from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from attacks import Findings, Size, poison


def test_what_kills_its_worker_costs_three_attempts_and_nobody_else(hold: Callable[[Callable[[Size, Path], Findings]], None]) -> None:
    hold(poison.attack)
