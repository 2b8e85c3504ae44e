"""The real lane worker as a process, and tasks for it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from trax.config import Settings, snapshot
from trax.models.catalogue import catalogue
from trax.models.wheels import find_in_wheel

MEMORY = 4 << 30


class Lane:
    """The real lane worker, spoken to as the supervisor does."""

    def __init__(self, budget: int = MEMORY, threads: int = 1) -> None:
        #: What it told of its models, in order.
        self.reports: list[dict[str, Any]] = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "trax.worker.lane", f"--memory-bytes={MEMORY}", f"--budget-bytes={budget}", f"--threads={threads}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def say(self, message: object) -> None:
        self.write(json.dumps(message).encode() + b"\n")

    def write(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def hear(self) -> dict[str, Any]:
        """The next message that is no report."""
        assert self.process.stdout is not None
        while (message := json.loads(self.process.stdout.readline()))["event"] == "models":
            self.reports.append(message)
        return dict(message)

    def answer(self) -> tuple[dict[str, Any], list[float]]:
        """The message that ends a task, and the fractions told before."""
        fractions: list[float] = []
        while (message := self.hear())["event"] == "progress":
            fractions.append(message["fraction"])
        return message, fractions


@pytest.fixture
def lanes() -> Iterator[Callable[..., Lane]]:
    """Starts workers, `lanes(budget, threads)`, that are gone at the end of the test."""
    started: list[Lane] = []

    def start(budget: int = MEMORY, threads: int = 1) -> Lane:
        lane = Lane(budget, threads)
        started.append(lane)
        assert lane.hear() == {"event": "ready", "pid": lane.process.pid}
        return lane

    yield start
    for lane in started:
        lane.process.kill()
        lane.process.communicate()


@pytest.fixture
def lane(lanes: Callable[..., Lane]) -> Lane:
    """One with plenty of memory."""
    return lanes()


@pytest.fixture
def task(tmp_path) -> Callable[..., dict[str, Any]]:
    def make(number: int, kind: str, output: str | None = None, **other: Any) -> dict[str, Any]:
        usual: dict[str, Any] = {
            "id": number,
            "kind": kind,
            "job": "20261122-190512-7f3a9c",
            "folder": str(tmp_path),
            "inputs": {"pcm": "pcm.raw"},
            "output": output,
            "settings": snapshot(Settings()),
            "models": {"vad": find_in_wheel(catalogue()["silero-vad"]).to_plain()},
            "models_folder": str(tmp_path / "models"),
        }
        return usual | other

    return make
