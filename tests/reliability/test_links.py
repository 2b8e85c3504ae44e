"""Links and special files are never opened as recordings."""

from __future__ import annotations

from collections.abc import Callable

from attacks import Findings, links


def test_links_and_special_files(hold: Callable[[Callable[..., Findings]], None]) -> None:
    hold(links.attack)
