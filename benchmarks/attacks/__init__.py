"""Attacks on what Trax promises, one module a promise: each tries to break it on the real daemon and tells what it found.

A module has one function, `attack(size: Size, work: Path) -> Findings`; `work` is an empty folder that is removed afterwards. The attacks
are listed in `reliability.py`, their goals in `goals.yaml` (`reliability_<module>`: the number of violations, always `== 0`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Size:
    """How hard an attack tries: `kills` and `files` of the torture, `seed` of everything random; `quick` the form of a minute or two.

    `is_test` is the shortest form that still attacks, of seconds, for the test suite.
    """

    kills: int = 200
    files: int = 500
    seed: int = 1
    quick: bool = False
    is_test: bool = False

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Self:
        """The size that QUICK, KILLS, FILES and SEED ask for. Raises ValueError when one is not a number."""
        quick = environment.get("QUICK", "") not in {"", "0"}
        kills, files = (20, 60) if quick else (200, 500)
        return cls(
            kills=int(environment.get("KILLS") or kills),
            files=int(environment.get("FILES") or files),
            seed=int(environment.get("SEED") or 1),
            quick=quick,
        )

    def pick(self, full: int, quick: int, test: int) -> int:
        """The number that fits this size."""
        return test if self.is_test else quick if self.quick else full


TEST = Size(kills=5, files=12, quick=True, is_test=True)


@dataclass(frozen=True, slots=True)
class Findings:
    """What an attack did and saw: `tried` in one sentence with its numbers, `violations` of the promise, `figures` worth writing down."""

    tried: str
    violations: tuple[str, ...]
    figures: tuple[str, ...] = ()


def size_of_this_run() -> Size:
    """The size that this process's environment asks for."""
    return Size.of(os.environ)
