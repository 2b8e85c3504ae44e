"""What systemd does about a service with a watchdog, by the same means: a notify socket, and SIGABRT for one that is silent too long."""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self


class Systemd:
    """Listens on `path`, which must be short: a socket's may have some hundred characters. A context manager."""

    def __init__(self, path: Path, watchdog_seconds: float) -> None:
        #: The command that starts traxd with what it is told of us.
        self.started = (
            *("env", f"NOTIFY_SOCKET={path}", f"WATCHDOG_USEC={int(watchdog_seconds * 1e6)}"),
            *(sys.executable, "-m", "trax.service.main"),
        )
        #: The longest time between two signs of life so far, seconds.
        self.longest_gap = 0.0
        self._path = path
        self._watchdog = watchdog_seconds
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._last: float | None = None

    def __enter__(self) -> Self:
        self._socket.bind(str(self._path))
        self._socket.setblocking(False)  # noqa: FBT003 - socket's own signature
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._socket.close()
        self._path.unlink()

    def hear(self) -> list[str]:
        """What was said since the last time. Ask often: when something was said is known by when it is heard."""
        said: list[str] = []
        while select.select([self._socket], [], [], 0)[0]:
            said += self._socket.recv(4096).decode().splitlines()
        if "WATCHDOG=1" in said:
            now = time.monotonic()
            self.longest_gap = max(self.longest_gap, now - (self._last or now))
            self._last = now
        return said

    def wait_for(self, word: str, seconds: float) -> None:
        """Wait until it is said. Raises TimeoutError."""
        until = time.monotonic() + seconds
        while word not in self.hear():
            if time.monotonic() > until:
                raise TimeoutError(f"{word} was not said within {seconds:g} s")
            time.sleep(0.02)
        self._last = time.monotonic()

    def watch(self, pid: int, seconds: float) -> bool:
        """Watch the process for so long; whether it was silent for longer than it may, and has been ended as systemd ends it."""
        until = time.monotonic() + seconds
        while (now := time.monotonic()) < until:
            self.hear()
            if self._last is not None and now - self._last > self._watchdog:
                os.kill(pid, signal.SIGABRT)
                os.kill(pid, signal.SIGCONT)
                return True
            time.sleep(0.02)
        return False
