"""One child process that answers in JSON lines. What it says is read as data and nothing else: it may have met hostile bytes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import psutil

from trax.errors import WorkerCrashed, WorkerHung

#: The longest line a child may send, in bytes.
_LINE_LIMIT = 1 << 20
#: What a child gets to see of the environment: how to find its libraries and its words, and nothing secret.
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "VIRTUAL_ENV", "PYTHONPATH", "JOURNAL_STREAM", "TMPDIR", "TRAX_LOG_LEVEL")


class ChildProcess:
    """A Python module of ours running as a child, with JSON lines on its stdout."""

    def __init__(self, process: asyncio.subprocess.Process, what: str) -> None:
        self._process = process
        self._what = what

    @classmethod
    async def start(
        cls,
        module: str,
        *arguments: str,
        what: str,
        stdin: int = asyncio.subprocess.PIPE,
        pass_fds: Sequence[int] = (),
        threads: int | None = None,
    ) -> ChildProcess:
        """Start `python -m module`. It has its own session, so that a Ctrl-C meant for us does not reach it."""
        environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        environment["PYTHONUNBUFFERED"] = "1"
        if threads is not None:
            environment["OMP_NUM_THREADS"] = environment["OPENBLAS_NUM_THREADS"] = str(threads)
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            module,
            *arguments,
            stdin=stdin,
            stdout=asyncio.subprocess.PIPE,
            pass_fds=pass_fds,
            env=environment,
            start_new_session=True,
            limit=_LINE_LIMIT,
        )
        return cls(process, what)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether it has not ended yet, as far as we have heard."""
        return self._process.returncode is None

    def send(self, message: Mapping[str, Any]) -> None:
        """Queue one message. A child that is gone is found out when reading."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError, RuntimeError):
            self._process.stdin.write(json.dumps(message, separators=(",", ":")).encode() + b"\n")

    async def receive(self, silence: float) -> dict[str, Any] | None:
        """The next message; None once the child has ended. Raises WorkerHung after `silence` seconds, WorkerCrashed on nonsense."""
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(silence):
                line = await self._process.stdout.readline()
            message: object = json.loads(line) if line else None
        except TimeoutError:
            await self.kill()
            raise WorkerHung(f"The {self._what} made no progress for {silence:.0f} s and was ended.") from None
        except ValueError:  # no JSON, or no end of line within the limit
            message = ()
        if message is None or isinstance(message, dict):
            return message
        await self.kill()
        raise WorkerCrashed(f"The {self._what} sent something that is not a message.")

    async def crashed(self) -> WorkerCrashed:
        """Wait for the end and say how it came."""
        code = await self._process.wait()
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"
        hint = " It may have run out of memory." if code in (-signal.SIGKILL, -signal.SIGABRT) else ""
        return WorkerCrashed(f"The {self._what} {how} in the middle of its work.{hint}")

    async def kill(self) -> None:
        """End it at once and reap it."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()

    async def close(self, grace: float = 2.0) -> None:
        """End its input, which asks it to go, and kill it when it does not."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            async with asyncio.timeout(grace):
                await self._process.wait()
        except TimeoutError:
            await self.kill()

    def usage(self) -> tuple[float, int]:
        """CPU seconds used so far and bytes of memory resident now; zeros once it is gone."""
        try:
            process = psutil.Process(self.pid)
            with process.oneshot():
                times = process.cpu_times()
                return times.user + times.system, process.memory_info().rss
        except psutil.Error:
            return 0.0, 0
