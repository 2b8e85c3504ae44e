"""Asking the workers' tools: a process of its own on the other side of the wall, which answers with one JSON document."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType, MappingProxyType
from typing import Any, NoReturn

from trax.cli.terminal import Terminal
from trax.config import Settings
from trax.errors import WorkerCrashed, WorkerHung, from_dict
from trax.secrets import NAMES

#: Set-up fetches a wheel; verifying reads every byte of every model.
_SECONDS = 1800.0
#: How long a tool that is told to stop may take to end.
_STOP_SECONDS = 20.0
_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class _Stopped(BaseException):
    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def tool(
    settings: Settings,
    *words: str,
    watched: Terminal | None = None,
    secrets: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Any]:
    """The answer of the workers' tools to a command such as `models list`. What stops us stops the tool first.

    A tool that is `watched` shows its progress on our standard error and takes as long as it takes; when it is stopped, what it says of
    that is shown there too. It is given no secrets but `secrets`.

    Raises:
        TraxError: What the tool says went wrong.
        WorkerCrashed: It ended without an answer.
        WorkerHung: It did not end in time.
    """
    # -P: never import from the working directory, where anything may lie
    command = [sys.executable, "-P", "-m", "trax.worker.tools", *_with_state(words, settings.state_folder)]
    environment = {name: value for name, value in os.environ.items() if name not in NAMES} | dict(secrets)
    stderr = subprocess.PIPE if watched is None else None
    with _started(command, stderr, environment) as process:
        try:
            with _stops_raised():  # from here on they reach us
                said, complained = process.communicate(timeout=_SECONDS if watched is None else None)
        except _Stopped as stop:
            said = _stop(process)
            if watched is not None and isinstance(error := (_document(said) or {}).get("error"), dict):
                watched.error(from_dict(error))
            _end_by(stop.number)
        except subprocess.TimeoutExpired as error:
            process.kill()
            raise WorkerHung(f"The models' tool did not end within {_SECONDS / 60:.0f} minutes.") from error
    answer = _document(said)
    if answer is None:
        last = ((complained or b"").decode(errors="backslashreplace").strip().splitlines() or ["nothing"])[-1]
        how = f"by signal {-process.returncode}" if process.returncode < 0 else f"with exit code {process.returncode}"
        advice = "Install Trax again; signal 4 (illegal instruction) means that this CPU is too old for the engines."
        raise WorkerCrashed(f"The models' tool ended {how} and said: {last}", advice=advice)
    if isinstance(answer.get("error"), dict):
        raise from_dict(answer["error"])
    return answer


def _with_state(words: Sequence[str], state: Path) -> list[str]:
    """The words with the state folder before a `--`, after which all are file names."""
    options = ["--state", str(state), "--json"]
    at = words.index("--") if "--" in words else len(words)
    return [*words[:at], *options, *words[at:]]


def _started(command: Sequence[str], stderr: int | None, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """The tool in a session of its own: Ctrl-C reaches us alone, and the tool by us, once.

    From here on stops wait, until `_stops_raised` lets them reach us; of the tool, until it can answer for them.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING)  # handed down to the tool
    try:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr, env=environment, start_new_session=True
        )
    except BaseException:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPPING)
        raise


def _document(said: bytes) -> dict[str, Any] | None:
    try:
        answer = json.loads(said)
    except ValueError:
        return None
    return answer if isinstance(answer, dict) else None


@contextlib.contextmanager
def _stops_raised() -> Iterator[None]:
    """Ctrl-C, SIGTERM and a terminal that closes raise `_Stopped` in the block; what was ignored stays so."""

    def stop(number: int, _frame: FrameType | None) -> NoReturn:
        raise _Stopped(number)

    former = {number: signal.getsignal(number) for number in _STOPPING}
    try:
        for number, handler in former.items():
            if handler is not signal.SIG_IGN:
                signal.signal(number, stop)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPPING)
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def _stop(process: subprocess.Popen[bytes]) -> bytes:
    """Let a tool put away what it has in hand, and return what it said at last."""
    process.send_signal(signal.SIGINT)
    try:
        said, _ = process.communicate(timeout=_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        said, _ = process.communicate()
    return said


def _end_by(number: int) -> NoReturn:
    """End as the signal would have ended us."""
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    signal.signal(number, signal.SIG_DFL)
    signal.raise_signal(number)
    raise AssertionError("the default of these signals is to end the process")
