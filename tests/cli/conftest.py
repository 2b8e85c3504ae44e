"""A root of its own for each test, the real command as a process, and a real control socket that answers as the test says."""

from __future__ import annotations

import asyncio
import os
import pty
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pytest

from trax.config import Settings
from trax.service.control import ControlServer


class Ctl(Protocol):
    def __call__(self, *args: str, **environ: str) -> subprocess.CompletedProcess[str]: ...


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "trax.yaml").write_text(f"root: {tmp_path}\n")
    return tmp_path


@pytest.fixture
def settings(root: Path) -> Settings:
    return Settings(root=str(root))


def environment(root: Path, **more: str) -> dict[str, str]:
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("TRAX_") and key not in {"NO_COLOR", "FORCE_COLOR"}}
    return {**inherited, "TRAX_CONFIG": str(root / "trax.yaml"), **more}


@pytest.fixture
def trax_ctl(root: Path) -> Ctl:
    """Run trax-ctl as a process, over the test's root."""

    def run(*args: str, **environ: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "trax.cli.main", *args]
        return subprocess.run(command, capture_output=True, text=True, env=environment(root, **environ), timeout=120, check=False)

    return run


@pytest.fixture
def start(root: Path) -> Callable[..., subprocess.Popen[str]]:
    """Start trax-ctl as a process and go on."""

    def run(*args: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "trax.cli.main", *args]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(root))

    return run


@pytest.fixture
def in_a_terminal(root: Path) -> Callable[..., str]:
    """All that trax-ctl writes to a terminal of its own, 80 columns wide; Ctrl-C is pressed once `stop_at` was seen.

    `type_at` is what to wait for and what to type then.
    """

    def run(
        *args: str, stop_at: str | None = None, type_at: tuple[str, bytes] | None = None, expected: int = 0, **environ: str
    ) -> str:
        wait_for, to_type = (stop_at, b"\x03") if type_at is None else type_at
        process, terminal = pty.fork()
        if process == 0:
            own = environment(root, COLUMNS="80", LINES="24", **environ)
            os.execve(sys.executable, [sys.executable, "-m", "trax.cli.main", *args], own)
        written = b""
        for chunk in _until_gone(terminal):
            written += chunk
            if wait_for is not None and wait_for.encode() in written:
                os.write(terminal, to_type)
                wait_for = None
        os.close(terminal)
        assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == expected
        return written.decode()

    return run


def _until_gone(terminal: int) -> Iterator[bytes]:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                yield os.read(terminal, 65536)
            except OSError:  # how a terminal says that its last user has gone
                return


@dataclass
class Answering:
    """A daemon's socket: `answer` makes the reply to each request, `asked` keeps the requests."""

    answer: Callable[[Mapping[str, Any]], Mapping[str, Any]]
    asked: list[Mapping[str, Any]] = field(default_factory=list)

    async def handle(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        self.asked.append(request)
        return self.answer(request)


@pytest.fixture
def daemon(settings: Settings) -> Iterator[Answering]:
    """The daemon's own socket server, listening where the settings say; the test sets what it answers."""
    answering = Answering(lambda _: {})
    loop = asyncio.new_event_loop()
    settings.state_folder.mkdir()
    server = ControlServer(settings.socket_path, answering.handle)
    loop.run_until_complete(server.start())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield answering
    asyncio.run_coroutine_threadsafe(_close(server), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


async def _close(server: ControlServer) -> None:
    server.close()
    await asyncio.sleep(0.05)  # the peers' tasks end


@pytest.fixture
def view() -> Callable[..., dict[str, Any]]:
    """Makes one job as the socket shows it, with some of it changed."""

    def make(**changed: Any) -> dict[str, Any]:
        return {
            "id": "20261122-190512-7f3a9c",
            "name": "meetings/talk.mp3",
            "output": "meetings/talk",
            "status": "queued",
            "stage": None,
            "progress": 0.0,
            "speed": None,
            "eta_seconds": None,
            "attempts": 0,
            "created": 1000.0,
            "changed": 1000.0,
            "duration": None,
            "error": None,
            "not_before": None,
            "duplicate_of": None,
            **changed,
        }

    return make


@pytest.fixture
def status() -> Callable[..., dict[str, Any]]:
    """Makes the status of a daemon at rest, with some of it changed."""

    def make(**changed: Any) -> dict[str, Any]:
        worker = {"lane": "transcribe", "pid": 8, "busy": True, "rss_mb": 300.0}
        daemon = {"pid": 7, "version": "2.0", "started": 900.0, "workers": [worker]}
        return {"daemon": daemon, "counts": {"queued": 0}, "running": [], "queued": [], "recent": [], "failed": [], **changed}

    return make
