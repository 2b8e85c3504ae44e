"""A hostile process in the inbox: it waits until the daemon has looked at a file, and puts something else in its place at once.

inotify tells it of the daemon's look (the file is opened to ask who writes to it), so the swap falls between check and claim.

    python -m attacks.swapper INBOX CANARY OUTSIDE SWAPS

CANARY is a file and OUTSIDE a folder that the daemon must not open. Prints what it did, as JSON, once SWAPS swaps are done or
SIGTERM comes.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import json
import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path

from asyncinotify import Inotify, Mask

_AT_FDCWD = -100
_EXCHANGE = 2  # RENAME_EXCHANGE of renameat2(2)
_AT_ONCE = 24  # files that lie in wait
#: What the inbox ignores: there the other half of each pair waits.
POOL = ".pool"

_libc = ctypes.CDLL(None, use_errno=True)


def exchange(one: Path, other: Path) -> bool:
    """Swap two names in one step; False when one of them is gone."""
    return bool(_libc.renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _EXCHANGE) == 0)


class Swapper:
    """Keeps files in wait in `inbox`, each with something hostile to take its place. `kinds` are those that this machine allows."""

    def __init__(self, inbox: Path, canary: Path, outside: Path) -> None:
        self.swaps = 0
        self._inbox = inbox
        self._pool = inbox / POOL
        self._canary = canary
        self._outside = outside
        self._numbers = itertools.count()
        makers = {
            "symbolic link": lambda path: path.symlink_to(canary),
            "hard link": lambda path: os.link(canary, path),
            "named pipe": os.mkfifo,
            "socket": _socket,
            "device": lambda path: os.mknod(path, 0o020644, os.makedev(1, 3)),
            "folder": Path.mkdir,
            "link to itself": lambda path: path.symlink_to(path.name),
            "folder for a link to one outside": None,
        }
        self._pool.mkdir()
        self._makers: dict[str, Callable[[Path], object] | None] = {}
        for kind, make in makers.items():
            with contextlib.suppress(OSError):  # no rights to make a device, another mount than the canary's
                if make is not None:
                    make(self._pool / "trial")
                    trial = self._pool / "trial"
                    trial.rmdir() if trial.is_dir() and not trial.is_symlink() else trial.unlink()
                self._makers[kind] = make

    @property
    def kinds(self) -> tuple[str, ...]:
        """What files are swapped for."""
        return tuple(self._makers)

    def lay(self) -> str:
        """Put one more file into the inbox, and what takes its place into the pool; returns its name in the inbox."""
        number = next(self._numbers)
        make = [*self._makers.values()][number % len(self._makers)]
        if make is None:
            name = f"swap-{number}"
            (self._inbox / name).mkdir()
            (self._inbox / name / "talk.wav").touch()
            (self._pool / name).symlink_to(self._outside)
        else:
            name = f"swap-{number}.wav"
            make(self._pool / name)
            (self._inbox / name).touch()
        return name

    def run(self, swaps: int) -> None:
        """Swap until `swaps` are done."""
        waiting = {self.lay() for _ in range(_AT_ONCE)}
        with Inotify(sync_timeout=0.2) as inotify:
            inotify.add_watch(self._inbox, Mask.OPEN | Mask.MOVED_FROM)
            for name in waiting:
                self._watch(inotify, name)
            while self.swaps < swaps:
                event = inotify.sync_get()
                if event is None or event.watch is None:
                    continue
                name = str(event.name) if event.watch.path == self._inbox else event.watch.path.name
                if name not in waiting:
                    continue
                if event.mask & Mask.OPEN:
                    # there and, in every other case, back again: the file is at rest for the daemon to look at once more
                    if exchange(self._inbox / name, self._pool / name):
                        self.swaps += 1
                    if self.swaps % 2:
                        exchange(self._inbox / name, self._pool / name)
                if not os.path.lexists(self._inbox / name):
                    waiting.discard(name)
                    waiting.add(fresh := self.lay())
                    self._watch(inotify, fresh)

    def _watch(self, inotify: Inotify, name: str) -> None:
        if (self._inbox / name).is_dir():
            inotify.add_watch(self._inbox / name, Mask.OPEN | Mask.MOVED_FROM | Mask.ONLYDIR)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        here = Path.cwd()
        os.chdir(path.parent)  # the address of a socket may have 108 bytes
        try:
            server.bind(path.name)
        finally:
            os.chdir(here)


def main() -> None:
    """Attack until enough is done or SIGTERM comes."""
    inbox, canary, outside, swaps = sys.argv[1:]
    swapper = Swapper(Path(inbox), Path(canary), Path(outside))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        swapper.run(int(swaps))
    finally:
        print(json.dumps({"swaps": swapper.swaps, "kinds": swapper.kinds}), flush=True)


if __name__ == "__main__":
    main()
