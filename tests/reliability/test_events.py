"""Missed and misleading events lose nothing and publish no half."""

from __future__ import annotations

from collections.abc import Callable

from attacks import Findings, events


def test_missed_and_misleading_events(hold: Callable[[Callable[..., Findings]], None]) -> None:
    hold(events.attack)
