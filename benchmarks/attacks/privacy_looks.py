"""What the attack on privacy looks at while Trax works: modes, environments, temporary files, and what another user can reach."""

from __future__ import annotations

import json
import os
import socket
import stat
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Self

import psutil
from asyncinotify import Inotify, Mask

#: Nobody, as far as Trax is concerned.
STRANGER = 65534
_EVERY_S = 0.02


class Watcher(threading.Thread):
    """Looks again and again at every file below the root and at every process of the daemon. A context manager."""

    def __init__(self, root: Path, pid: int, secrets: Iterable[str]) -> None:
        super().__init__(daemon=True)
        self._root, self._pid, self._secrets = root, pid, tuple(secrets)
        self._end = threading.Event()
        self.open_files: set[str] = set()
        self.leaks: set[str] = set()
        self.umasks: set[str] = set()
        self.capabilities: set[str] = set()
        self.children: set[int] = set()
        self.powers: set[str] = set()
        self.looks = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self.join()

    def run(self) -> None:
        """Look until the block ends."""
        while not self._end.wait(_EVERY_S):
            self.looks += 1
            self._look_at_files()
            try:
                daemon = psutil.Process(self._pid)
                for process in (daemon, *daemon.children(recursive=True)):
                    self._look_at_process(process.pid)
            except psutil.Error:
                continue

    def _look_at_files(self) -> None:
        for part in ("outbox", "state"):
            for folder, folders, files in os.walk(self._root / part):
                # The recording keeps the mode it was dropped with; its folder is closed.
                for name in (*folders, *(file for file in files if file != "source")):
                    path = Path(folder, name)
                    try:
                        mode = path.lstat().st_mode
                    except OSError:
                        continue
                    if mode & 0o007:
                        self.open_files.add(f"{path.relative_to(self._root)} has mode {stat.S_IMODE(mode):04o}")

    def _look_at_process(self, pid: int) -> None:
        try:
            told = (Path(f"/proc/{pid}/cmdline").read_bytes(), b"" if pid == self._pid else Path(f"/proc/{pid}/environ").read_bytes())
            status = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)
        except (OSError, psutil.Error):
            return
        if pid != self._pid and b"trax.service.main" in told[0]:
            return  # still the daemon's own image: a child on its way to become a program
        for secret in self._secrets:
            if any(secret.encode() in each for each in told):
                self.leaks.add(f"a process of Trax shows {secret!r} in its command line or environment: {told[0][:80]!r}")
        if pid == self._pid:
            if b"trax.service.main" not in told[0] or b"shut_in" in told[0]:
                return  # not Trax yet
        else:
            self.children.add(pid)
            self.umasks.add(status["Umask"])
            self.capabilities.add(status["CapEff"])
        self.powers.add(f"NoNewPrivs {status['NoNewPrivs']} Seccomp {status['Seccomp']}")


class Writes:
    """Files that come to be in folders, as the kernel tells of them. A context manager; `seen` after it."""

    def __init__(self, folders: Iterable[Path]) -> None:
        self._inotify = Inotify(sync_timeout=0)
        for folder in folders:
            self._inotify.add_watch(folder, Mask.CREATE | Mask.MOVED_TO | Mask.MODIFY)
        self.seen: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        while (event := self._inotify.sync_get()) is not None:
            self.seen.add(str(event.path))
        self._inotify.close()


def what_a_stranger_reaches(root: Path, socket_path: Path) -> list[str]:
    """What a user of another group can list, read, write or connect to below the root. Needs root."""
    known = [str(path) for part in ("inbox", "outbox", "state") for path in (root / part, *(root / part).rglob("*"))]
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setresgid(STRANGER, STRANGER, STRANGER)
            os.setresuid(STRANGER, STRANGER, STRANGER)
            os.write(writing, json.dumps(_reached(known, str(socket_path))).encode()[:60_000])
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as handle:
        told = handle.read()
    os.waitpid(child, 0)
    reached: list[str] = json.loads(told or b'["the stranger could not look at all"]')
    return reached


def _reached(paths: Iterable[str], socket_path: str) -> list[str]:
    found = []
    for path in paths:
        for what, flags in (("list or read", os.O_RDONLY), ("write", os.O_WRONLY)):
            try:
                os.close(os.open(path, flags | os.O_NONBLOCK))
            except OSError:
                continue
            found.append(f"{what} {path}")
    with socket.socket(socket.AF_UNIX) as peer:
        try:
            peer.connect(socket_path)
        except OSError:
            return found
    return [*found, f"connect to {socket_path}"]


def holding(root: Path, words: Iterable[str], *, but: Iterable[Path] = ()) -> list[str]:
    """Every file below the root whose name or bytes hold one of the words."""
    found = []
    left_out = set(but)
    for path in root.rglob("*"):
        if path in left_out or path.is_dir() or not path.exists():
            continue
        text = b"" if path.is_socket() or path.is_fifo() else path.read_bytes()
        name = str(path.relative_to(root))
        found += [f"{name} holds {word!r}" for word in words if word in name or word.encode() in text]
    return found
