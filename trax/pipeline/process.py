"""One child process that answers in JSON lines. What it says is read as data and nothing else: it may have met hostile bytes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import psutil

from trax import errors
from trax.errors import WorkerCrashed, WorkerHung

#: The longest line a child may send, in bytes.
_LINE_LIMIT = 1 << 20
#: How long a child that closed its output may take to end, seconds.
_END_SECONDS = 2.0
#: What a child gets to see of the environment: how to find its libraries and its words, and nothing secret.
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "VIRTUAL_ENV", "PYTHONPATH", "JOURNAL_STREAM", "TMPDIR", "TRAX_LOG_LEVEL")
#: What a worker says of its models, whether it has a task or not.
_REPORT = "models"

OnReport = Callable[[Mapping[str, Any]], None]


class ChildProcess:
    """A Python module of ours running as a child, with JSON lines on its stdout."""

    def __init__(self, process: asyncio.subprocess.Process, transport: asyncio.SubprocessTransport, what: str) -> None:
        self._process = process
        self._transport = transport
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
        is_bare: bool = False,
    ) -> ChildProcess:
        """Start `python -m module`. It has its own session, so that a Ctrl-C meant for us does not reach it.

        One that `is_bare` gets no environment at all and nowhere to write messages to: all it has to say it says in JSON lines.

        Raises WorkerCrashed when the system has no room for another process.
        """
        environment = {} if is_bare else _environment(threads)
        loop = asyncio.get_running_loop()
        try:
            # What asyncio.create_subprocess_exec does; but that keeps the transport, which alone can close the pipes, to itself.
            transport, protocol = await loop.subprocess_exec(
                lambda: asyncio.subprocess.SubprocessStreamProtocol(limit=_LINE_LIMIT, loop=loop),
                sys.executable,
                "-I" if is_bare else "-P",  # never import from the working directory: anything may lie there
                "-m",
                module,
                *arguments,
                stdin=stdin,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL if is_bare else None,
                cwd="/" if is_bare else None,
                pass_fds=pass_fds,
                env=environment,
                start_new_session=True,
            )
        except OSError as error:
            raise WorkerCrashed(f"The {what} could not be started: {error.strerror}.") from error
        return cls(asyncio.subprocess.Process(transport, protocol, loop), transport, what)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def ended_by(self) -> int | None:
        """The number of the signal that ended it, if one did."""
        code = self._process.returncode
        return -code if code is not None and code < 0 else None

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
        try:
            async with asyncio.timeout(silence):
                return await self._next()
        except TimeoutError:
            await self.kill()
            raise WorkerHung(f"The {self._what} did not answer for {silence:g} s and was ended.") from None

    async def _next(self) -> dict[str, Any] | None:
        assert self._process.stdout is not None
        try:
            line = await self._process.stdout.readline()
            message: object = json.loads(line) if line else None
        except (ValueError, RecursionError):  # no JSON, or no end of line within the limit
            message = ()
        if message is None or isinstance(message, dict):
            return message
        raise await self.nonsense()

    async def answer(
        self,
        silence: float,
        on_progress: Callable[[float], None],
        task: int | None = None,
        on_report: OnReport = lambda _report: None,
    ) -> dict[str, Any]:
        """Follow the child's work on a task (None: it only has one) to the result.

        `on_report` hears what it has to say of its models, and raises KeyError, TypeError or ValueError when that makes no sense.

        Raises the error the child tells of; WorkerHung or WorkerCrashed, the child being ended then.
        """
        while (message := await self.receive(silence)) is not None:
            if message.get("event") == _REPORT:
                await self._hear(message, on_report)
                continue
            if message.get("id") != task:
                raise await self.nonsense()
            match message:
                case {"event": "progress", "fraction": int() | float() as fraction}:
                    on_progress(min(1.0, max(0.0, fraction)))
                case {"event": "done", "result": dict(result)}:
                    return result
                case {"event": "error", "error": dict(error)}:
                    raise errors.from_dict(error)
                case _:
                    raise await self.nonsense()
        raise await self.crashed()

    async def listen(self, on_report: OnReport) -> None:
        """Follow what a child without a task has to say of its models, until it ends; to be cancelled before it is given one.

        Raises WorkerCrashed, the child being ended then, when it says anything else.
        """
        while (message := await self._next()) is not None:
            if message.get("event") != _REPORT:
                raise await self.nonsense()
            await self._hear(message, on_report)

    async def _hear(self, message: Mapping[str, Any], on_report: OnReport) -> None:
        try:
            on_report(message)
        except (KeyError, TypeError, ValueError):
            raise await self.nonsense() from None

    async def nonsense(self) -> WorkerCrashed:
        """End a child that says what it should not; returns the error to raise."""
        await self.kill()
        return WorkerCrashed(f"The {self._what} sent something that is not a message.")

    async def crashed(self) -> WorkerCrashed:
        """Wait for the end of a child that closed its output, and say how it came."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_END_SECONDS):
                await self._ended()
        closed_only = self.is_alive
        await self.kill()
        code = self._process.returncode or 0
        how = "closed its output" if closed_only else _ended_by(-code) if code < 0 else f"ended with status {code}"
        hint = " It may have run out of memory." if not closed_only and code in (-signal.SIGKILL, -signal.SIGABRT) else ""
        return WorkerCrashed(f"The {self._what} {how} in the middle of its work.{hint}")

    async def kill(self) -> None:
        """End it at once, if it has not ended yet, and reap it."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._ended()
        self._transport.close()  # asyncio itself waits for the pipe's end, behind all that the child said, or while another holds it

    async def close(self, grace: float = 2.0) -> None:
        """End its input, which asks it to go, and kill it when it does not."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace):
                await self._ended()
        await self.kill()

    async def _ended(self) -> None:
        """Wait for the end of the process. `Process.wait` would also wait for the end of its pipes, which another may hold open."""
        while self._process.returncode is None:  # noqa: ASYNC110 - asyncio tells of it in no other way
            await asyncio.sleep(0.005)

    def usage(self) -> tuple[float, int]:
        """CPU seconds used so far and bytes of memory resident now; zeros once it is gone."""
        try:
            process = psutil.Process(self.pid)
            with process.oneshot():
                times = process.cpu_times()
                return times.user + times.system, process.memory_info().rss
        except psutil.Error:
            return 0.0, 0


def _environment(threads: int | None) -> dict[str, str]:
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    environment["PYTHONUNBUFFERED"] = "1"
    environment["GGML_NO_BACKTRACE"] = "1"  # it would start a debugger on itself when it gives up
    if threads is not None:
        environment["OMP_NUM_THREADS"] = environment["OPENBLAS_NUM_THREADS"] = str(threads)
    return environment


def _ended_by(number: int) -> str:
    """What a signal did to a process, and its name as far as it has one."""
    how = "was killed" if number in (signal.SIGKILL, signal.SIGTERM) else "crashed"
    try:
        return f"{how} (signal {number}, {signal.Signals(number).name})"
    except ValueError:
        return f"{how} (signal {number})"
