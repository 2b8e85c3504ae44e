"""Kill -9 at any moment loses, doubles and halves nothing."""

from __future__ import annotations

from collections.abc import Callable

from attacks import kills


def test_kills(hold: Callable[..., None]) -> None:
    hold(kills.attack)
