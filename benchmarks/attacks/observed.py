"""traxd with an observer of its durable operations: it counts them, ends the process before one, has a sync fail, or writes them down.

    python observed.py ROOT '{"end_before": 17}' --config FILE

Operations and syncs are counted from 1. What the workers' own processes do is not observed.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import pickle
import signal
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import IO

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from attacks.disk import Event
from trax import disk
from trax.service.main import main as traxd

SYNCS = {"fsync", "fsync folder", "syncfs"}


@dataclass(frozen=True, slots=True)
class Point:
    """What happens to a run: it ends before an operation, one of its syncs fails, its history goes into a file; or nothing.

    When the inbox `is_mount`, nothing can be renamed out of it, as on a file system of its own.
    """

    end_before: int | None = None
    fail_sync: int | None = None
    history: str | None = None
    inbox_is_mount: bool = False


class Observer:
    """Told of each operation; see `trax.disk.observer`. Paths in the history are relative to `root`."""

    def __init__(self, root: Path, point: Point) -> None:
        self._root = root.resolve()
        self._point = point
        self._operations = self._syncs = 0
        self._lock = threading.Lock()  # some operations are done in threads
        self._history: IO[bytes] | None = None
        if point.history:
            self._history = Path(point.history).open("wb")  # noqa: SIM115 - it is written as long as the process lives

    def __call__(self, operation: str, path: Path, made: Path | None) -> None:
        """Note an operation that is about to be done; what the point asks for happens here."""
        with self._lock:
            self._operations += 1
            if self._operations == self._point.end_before:
                os.kill(os.getpid(), signal.SIGKILL)
            self._syncs += operation in SYNCS
            if operation in SYNCS and self._syncs == self._point.fail_sync:
                raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))
            if self._point.inbox_is_mount and operation in {"rename", "link"} and self._leaves_inbox(path, made or path):
                raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), str(path))
            if self._history is not None:
                self._write_down(operation, path, made)

    def _write_down(self, operation: str, path: Path, made: Path | None) -> None:
        assert self._history is not None
        is_folder = operation in {"fsync folder", "syncfs"}
        data, modified = (path.read_bytes(), path.stat().st_mtime_ns) if operation == "fsync" else (None, None)
        target = str(path) if operation == "symlink" else self._relative(path, is_folder=is_folder)
        pickle.dump(Event(operation, target, self._relative(made) if made else None, data, modified), self._history)
        self._history.flush()

    def _leaves_inbox(self, path: Path, made: Path) -> bool:
        before, after = (Path(self._relative(each)).parts[0] for each in (path, made))
        return before == "inbox" != after

    def _relative(self, path: Path, *, is_folder: bool = False) -> str:
        # folders are reached through descriptors, whose paths lead through /proc
        resolved = path.resolve() if is_folder else path.parent.resolve() / path.name
        return str(resolved.relative_to(self._root))


def read_history(path: Path) -> list[Event]:
    """The operations of a run, in order."""
    events = []
    with path.open("rb") as handle, contextlib.suppress(EOFError):
        while True:
            events.append(pickle.load(handle))
    return events


def main() -> int:
    """Run the daemon; returns its exit status."""
    root, point, *arguments = sys.argv[1:]
    disk.observer = Observer(Path(root), Point(**json.loads(point)))
    return traxd(arguments)


if __name__ == "__main__":
    sys.exit(main())
