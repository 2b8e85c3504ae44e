"""A damaged ledger, a second daemon and commands from four sides at once lose nothing."""

from __future__ import annotations

from collections.abc import Callable

from attacks import ledger


def test_ledger(hold: Callable[..., None]) -> None:
    hold(ledger.attack)
