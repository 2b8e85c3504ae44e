"""The real daemon on a throw-away root: start it, drop files, wait for answers, read them, stop it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil
import yaml

from trax.cli.client import ask
from trax.errors import TraxError
from trax.jobs.job import Job
from trax.jobs.ledger import Ledger

_ERROR_ENDING = ".error.json"
_STOP_TIMEOUT_S = 60.0
_LOG_TAIL = 3000


class ApplianceError(Exception):
    """The daemon ended by itself or did not do in time what was waited for. Shows the end of its log."""


class Appliance:
    """A running `traxd` with a root of its own. A context manager: it stops the daemon, and leaves the root to whoever made it.

    `settings` are the keys of `config/trax.yaml` that differ from the defaults, nested as there; `preexec` is called in the
    daemon's process before the daemon, to take rights away from it; `command` starts the daemon.
    """

    def __init__(
        self,
        root: Path,
        settings: Mapping[str, object] | None = None,
        *,
        preexec: Callable[[], None] | None = None,
        command: Sequence[str | Path] = (sys.executable, "-m", "trax.service.main"),
    ) -> None:
        self.root = root
        self.inbox = root / "inbox"
        self.outbox = root / "outbox"
        self.state = root / "state"
        self.socket = self.state / "traxd.sock"
        self._settings = {**(settings or {}), "root": str(root), "socket": str(self.socket)}
        self._log = root / "traxd.log"
        self._preexec = preexec
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        for folder in (self.inbox, self.outbox):
            folder.mkdir(parents=True, exist_ok=True)
        config = self.root / "trax.yaml"
        config.write_text(yaml.safe_dump(self._settings), encoding="utf-8")
        # settings of the shell that runs a measurement must not leak into it
        environment = {key: value for key, value in os.environ.items() if not key.startswith("TRAX_")}
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                env={**environment, "TRAX_CONFIG": str(config)},
                cwd=self.root,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=self._preexec,  # noqa: PLW1509 - what is passed takes no locks
            )
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._process is None or self._process.poll() is not None:
            return
        family = self.processes()
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_STOP_TIMEOUT_S)
        finally:
            for process in family:  # only what a broken daemon leaves behind
                if process.is_running():
                    process.kill()

    def stop(self, timeout_s: float = _STOP_TIMEOUT_S) -> int:
        """Ask the daemon to stop and return its exit code. Raises subprocess.TimeoutExpired."""
        os.kill(self.pid, signal.SIGTERM)
        return self.wait(timeout_s)

    def kill(self) -> None:
        """End the daemon as a crash does; its workers are left to notice."""
        os.kill(self.pid, signal.SIGKILL)
        self.wait(_STOP_TIMEOUT_S)

    def wait(self, timeout_s: float) -> int:
        """Wait until the daemon has ended and return its exit code. Raises subprocess.TimeoutExpired."""
        if self._process is None:
            raise ApplianceError("The daemon was not started.")
        return self._process.wait(timeout_s)

    @property
    def pid(self) -> int:
        """The daemon's process id."""
        if self._process is None:
            raise ApplianceError("The daemon was not started.")
        return self._process.pid

    def processes(self) -> tuple[psutil.Process, ...]:
        """The daemon and all its descendants that live now."""
        try:
            daemon = psutil.Process(self.pid)
            return (daemon, *daemon.children(recursive=True))
        except psutil.NoSuchProcess:
            return ()

    def answers(self) -> bool:
        """Whether the daemon answers on its socket; it may take its time."""
        try:
            return "version" in ask(self.socket, {"command": "ping"}, timeout=_STOP_TIMEOUT_S)
        except TraxError:
            return False

    def jobs(self) -> list[Job]:
        """All jobs by the ledger on the disk, oldest first; none where there is no ledger yet."""
        folder = self.state / "ledger"
        return sorted(Ledger.read_only(folder).everything(), key=lambda job: job.created) if any(folder.glob("ledger-*.json")) else []

    def drop(self, source: Path, name: str | None = None) -> None:
        """Put a copy of a file into the inbox in one step, under `name` if given."""
        staged = self.root / "staging" / (name or source.name)
        staged.parent.mkdir(exist_ok=True)
        shutil.copyfile(source, staged)
        staged.rename(self.inbox / staged.name)

    def transcripts(self) -> dict[str, Path]:
        """The transcripts in the outbox by the name they answer under: `talk` for `talk.json`."""
        return {path.name.removesuffix(".json"): path for path in self._answers() if not path.name.endswith(_ERROR_ENDING)}

    def errors(self) -> dict[str, Path]:
        """The error answers in the outbox by name: `talk` for `talk.error.json`."""
        return {path.name.removesuffix(_ERROR_ENDING): path for path in self._answers() if path.name.endswith(_ERROR_ENDING)}

    def _answers(self) -> list[Path]:
        return sorted(path for path in self.outbox.glob("*.json") if not path.name.startswith("."))

    def wait_until(
        self, is_done: Callable[[], bool], timeout_s: float, *, every_s: float = 0.2, each: Callable[[], object] | None = None
    ) -> float:
        """Wait for `is_done`, calling `each` at every look; returns the seconds it took.

        Raises ApplianceError when the daemon ends or `timeout_s` passes first.
        """
        start = time.monotonic()
        while True:
            if each is not None:
                each()
            if is_done():
                return time.monotonic() - start
            if self._process is None or self._process.poll() is not None:
                raise ApplianceError(f"The daemon ended by itself.\n{self.log_tail()}")
            if time.monotonic() - start > timeout_s:
                raise ApplianceError(f"Nothing after {timeout_s:.0f} s.\n{self.log_tail()}")
            time.sleep(every_s)

    def log_tail(self) -> str:
        """The end of the daemon's log."""
        return self._log.read_text(encoding="utf-8", errors="replace")[-_LOG_TAIL:]


def trax_ctl(root: Path, *arguments: str) -> list[str]:
    """The command line of a trax-ctl that asks the appliance over `root`."""
    return [sys.executable, "-m", "trax.cli.main", "--config", str(root / "trax.yaml"), *arguments]


def read_json(path: Path) -> dict[str, Any]:
    """An answer's content."""
    content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise ValueError(f"{path} is not a JSON object")  # noqa: TRY004 - the file's content is wrong, not an argument's type
    return content
