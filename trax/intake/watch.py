"""Wake-ups from the file system. Watching is a hint that saves waiting; scanning is the truth."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Literal

from loguru import logger
from watchfiles import awatch

#: Network and shared file systems: what other machines change there sends no events here. All of FUSE but `fuseblk` counts too.
_EVENTLESS = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "vboxsf", "virtiofs"})
_MOUNTS = Path("/proc/self/mounts")
_LONGEST_PAUSE = 60.0


async def changes(inbox: Path, how: Literal["auto", "events", "polling"]) -> AsyncGenerator[set[str], None]:
    """Sets of names, relative to the inbox, that something happened to; for ever. An empty set says only: look.

    A watcher that fails (a name that is not UTF-8, no inotify watches left, the folder gone) is started again, after a pause that doubles
    with each failure in a row.
    """
    pause = 1.0
    while True:
        try:
            watched = _identity(inbox)
            async for batch in awatch(
                inbox,
                watch_filter=None,
                debounce=200,
                step=100,
                force_polling=how == "polling" or (how == "auto" and is_eventless(file_system_of(inbox))),
                poll_delay_ms=1000,
                ignore_permission_denied=True,
                yield_on_timeout=True,
            ):
                _check_same(inbox, watched)
                pause = 1.0
                if batch:
                    yield {path.removeprefix(f"{inbox}/") for _, path in batch}
        except Exception as error:  # noqa: BLE001 - whatever a watcher dies of, it is started again and the rescans go on
            logger.warning("The watcher of the inbox failed and starts again in {:.0f} s: {}", pause, ascii(str(error)))
        yield set()
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)
        yield set()


def _identity(inbox: Path) -> tuple[int, int]:
    found = inbox.stat()
    return found.st_dev, found.st_ino


def _check_same(inbox: Path, watched: tuple[int, int]) -> None:
    # A watcher holds on to the folder it began with: when another has taken its place it would wait in silence.
    if _identity(inbox) != watched:
        raise FileNotFoundError("another folder has taken its place")


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
