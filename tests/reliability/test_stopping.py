from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

from attacks import Findings, Size, stopping


def test_it_stops_soon_at_any_moment_and_a_frozen_one_is_caught(hold: Callable[[Callable[[Size, Path], Findings]], None]) -> None:
    hold(stopping.attack)


def test_a_daemon_with_nothing_left_to_do_is_up_before_it_is_stopped_as_an_idle_one(tmp_path: Path) -> None:
    stops = stopping._Stops(tmp_path, (), random.Random(1), patience=5.0)
    stops.stop_often(0)
    assert stops.violations == []
