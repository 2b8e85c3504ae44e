"""Hostile names do no harm."""

from __future__ import annotations

from collections.abc import Callable

from attacks import Findings, names


def test_hostile_names(hold: Callable[[Callable[..., Findings]], None]) -> None:
    hold(names.attack)
