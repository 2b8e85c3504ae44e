"""Hostile media reach nothing, take little, and are answered."""

from __future__ import annotations

from collections.abc import Callable

from attacks import Findings, media


def test_hostile_media(hold: Callable[[Callable[..., Findings]], None]) -> None:
    hold(media.attack)
