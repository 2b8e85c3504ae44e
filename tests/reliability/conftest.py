"""The attacks of `make reliability` in their shortest form, on the real daemon."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from attacks import TEST, Findings, Size


@pytest.fixture
def hold(tmp_path: Path) -> Callable[[Callable[[Size, Path], Findings]], None]:
    """Run an attack and assert that the promise holds."""

    def check(attack: Callable[[Size, Path], Findings]) -> None:
        findings = attack(TEST, tmp_path)
        print(findings.tried, *findings.figures, sep="\n")
        assert findings.violations == ()

    return check
