"""Every crash point of a job leads to exactly one outcome."""

from __future__ import annotations

from collections.abc import Callable

from attacks import crash_points


def test_crash_points(hold: Callable[..., None]) -> None:
    hold(crash_points.attack)
