"""A full disk or another mount loses and halves nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from attacks import disk_full


def test_full_disks(hold: Callable[..., None]) -> None:
    if why := disk_full.why_not():
        pytest.skip(why)
    hold(disk_full.attack)
