from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from attacks import Findings, Size, stopping


def test_it_stops_soon_at_any_moment_and_a_frozen_one_is_caught(hold: Callable[[Callable[[Size, Path], Findings]], None]) -> None:
    hold(stopping.attack)
