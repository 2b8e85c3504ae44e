"""Wake-ups from the file system. Watching is a hint that saves waiting; scanning is the truth."""

from __future__ import annotations

import asyncio
import errno
import os
import re
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Literal, Self

from asyncinotify import Inotify, Mask
from loguru import logger

from trax.intake.names import printable
from trax.intake.scan import walk

#: Network and shared file systems: what other machines change there sends no events here. All of FUSE but `fuseblk` counts too.
_EVENTLESS = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "vboxsf", "virtiofs"})
_MOUNTS = Path("/proc/self/mounts")
_POLL_SECONDS = 2.0
#: Events of so long are told together, and so many at most: a storm of them must not keep the daemon from its work.
_GATHER_SECONDS = 0.2
_GATHER_EVENTS = 2000
#: How often it is asked whether the inbox is still the folder that is watched.
_CHECK_SECONDS = 5.0
_LONGEST_PAUSE = 60.0
_COMES = Mask.CREATE | Mask.MOVED_TO
_MASK = _COMES | Mask.MODIFY | Mask.CLOSE_WRITE | Mask.MOVED_FROM | Mask.DELETE | Mask.ONLYDIR


async def changes(inbox: Path, how: Literal["auto", "events", "polling"]) -> AsyncGenerator[set[str], None]:
    """Sets of names, relative to the inbox, that something happened to; for ever. An empty set says only: look.

    Where events may be missing, by the settings or by the kind of the file system, it says so every other second. A watcher that fails
    (no inotify instances left, the folder gone or replaced) is started again, after a pause that doubles with each failure in a row.
    """
    pause = 1.0
    while True:
        if how == "polling" or (how == "auto" and is_eventless(await asyncio.to_thread(file_system_of, inbox))):
            await asyncio.sleep(_POLL_SECONDS)
            yield set()
            continue
        try:
            with _Watches(inbox) as watches:
                await watches.renew()
                yield set()  # for what came before the watches stood
                while True:
                    names = await watches.told()
                    pause = 1.0
                    if names is not None:
                        yield names
        except OSError as error:
            logger.warning("The watcher of the inbox failed and starts again in {:.0f} s: {}", pause, error.strerror)
        yield set()
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


class _Watches:
    """A watch on each folder of the inbox, and on nothing that a link leads to."""

    def __init__(self, inbox: Path) -> None:
        self._inbox = inbox
        self._identity = _identity(inbox)
        self._inotify = Inotify(cache_size=100, sync_timeout=0)
        self._folders: dict[int, str] = {}
        self._is_short = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._inotify.close()

    async def renew(self) -> None:
        """Watch every folder there is by now, each under the name it has by now. Raises OSError."""
        former, self._folders = self._folders, await asyncio.to_thread(self._watch_all)
        for watch in self._inotify.watches:
            if watch.wd in former and watch.wd not in self._folders:
                self._inotify.rm_watch(watch)

    def _watch_all(self) -> dict[int, str]:
        found: dict[int, str] = {}
        for folder in walk(self._inbox, {}):  # what keeps us out of a folder is told by the scan
            try:
                found[self._inotify.add_watch(f"/proc/self/fd/{folder.descriptor}", _MASK).wd] = folder.relative
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                self._tell_shortage(folder.relative)
                break
        return found

    def _tell_shortage(self, folder: str) -> None:
        if not self._is_short:
            logger.warning(
                "The system allows no more watches (fs.inotify.max_user_watches): what is dropped into {!r} and further folders is only "
                "found when the inbox is looked through",
                printable(folder or "."),
            )
        self._is_short = True

    async def told(self) -> set[str] | None:
        """Names that something happened to, some of them perhaps long ago; None when nothing did. Raises OSError when it is all in vain."""
        try:
            async with asyncio.timeout(_CHECK_SECONDS):
                events = [await self._inotify.get()]
        except TimeoutError:
            events = []
        else:
            await asyncio.sleep(_GATHER_SECONDS)
            while len(events) < _GATHER_EVENTS and (event := self._inotify.sync_get()) is not None:
                events.append(event)
        # A watch holds on to the folder it began with: when another has taken its place we would wait in silence.
        if await asyncio.to_thread(_identity, self._inbox) != self._identity:
            raise FileNotFoundError(errno.ENOENT, "another folder has taken its place")
        names = set()
        is_laid_out_anew = False
        for event in events:
            is_laid_out_anew |= bool(event.mask & Mask.Q_OVERFLOW) or bool(event.mask & Mask.ISDIR and event.mask & _COMES)
            folder = self._folders.get(event.watch.wd) if event.watch else None
            if folder is not None and event.name is not None:
                names.add(os.path.join(folder, event.name))  # noqa: PTH118 - names are text here, as the scan has them
        if is_laid_out_anew:
            await self.renew()
        return names if events else None


def _identity(inbox: Path) -> tuple[int, int]:
    found = inbox.stat()
    return found.st_dev, found.st_ino


def is_eventless(file_system: str) -> bool:
    """Whether changes to such a file system may go unseen by inotify."""
    return file_system in _EVENTLESS or file_system.startswith("fuse.")


def file_system_of(folder: Path, mounts: Path = _MOUNTS) -> str:
    """The type of the file system that holds `folder`, such as `ext4` or `nfs4`; empty when it cannot be told."""
    try:
        rows = [line.split() for line in mounts.read_text(errors="surrogateescape").splitlines()]
    except OSError:
        return ""
    resolved = folder.resolve()
    # Blanks in a mount point are written in octal. The last of equally long ones lies on top of the others.
    points = [(Path(re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), row[1])), row[2]) for row in rows]
    holding = [(len(point.parts), number, kind) for number, (point, kind) in enumerate(points) if resolved.is_relative_to(point)]
    return max(holding)[2] if holding else ""
