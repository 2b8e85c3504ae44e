"""How a worker process speaks with its supervisor: one JSON object a line, in on stdin, out on what was stdout.

Native libraries print to file descriptor 1 whenever they like. So the real stdout is moved away before any of them is loaded,
and descriptor 1 becomes stderr: only `Channel` can write to the supervisor.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import threading
import time
from typing import IO, Any

_PR_SET_PDEATHSIG = 1
#: Seconds between two progress messages at the least.
_PROGRESS_SECONDS = 0.2


class Channel:
    """The way out. Safe to use from several threads."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def send(self, **message: Any) -> None:  # noqa: ANN401 - a message is any JSON object
        """Write one message; a supervisor that is gone ends this process: nobody would take the result."""
        line = json.dumps(message, separators=(",", ":")).encode() + b"\n"
        try:
            with self._lock:
                self._stream.write(line)
                self._stream.flush()
        except BrokenPipeError:
            os._exit(0)


class Progress:
    """Tells the supervisor how far a task is, not more often than is useful. Every message carries what `about` names the task by."""

    def __init__(self, channel: Channel, **about: Any) -> None:  # noqa: ANN401 - as `Channel.send`
        self._channel = channel
        self._about = about
        self._last = 0.0

    def __call__(self, fraction: float) -> None:
        """`fraction` of the task is done, 0 to 1."""
        now = time.monotonic()
        if now - self._last >= _PROGRESS_SECONDS or fraction >= 1.0:
            self._last = now
            self._channel.send(**self._about, event="progress", fraction=round(min(max(fraction, 0.0), 1.0), 4))


def take_stdout() -> Channel:
    """Keep the real stdout for messages and point descriptor 1 at stderr."""
    channel = Channel(os.fdopen(os.dup(1), "wb"))
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return channel


def die_with_parent() -> None:
    """Have the kernel end this process when the supervisor dies, however it dies: two must never work in one folder.

    To the kernel the parent is the thread that started us: the supervisor's main thread, which lives as long as it does.
    Linux only (prctl PR_SET_PDEATHSIG); elsewhere the end of stdin is what ends a worker.
    """
    parent = os.getppid()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before we asked
            os._exit(0)
