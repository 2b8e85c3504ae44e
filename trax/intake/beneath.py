"""What lies in the inbox, reached and opened without following a link.

Whoever may write to the inbox may put a link in place of a file or subfolder between our look and our move. Each part of the way is
therefore opened by itself and never as a link; what is reached through the open folder stays there, whatever happens to the names above it.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

_FOLDER = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@contextlib.contextmanager
def opened(root: Path, folder: PurePosixPath) -> Iterator[Path]:
    """A path to `root / folder` that keeps its meaning for the block. Raises OSError when it is gone or goes through a link."""
    descriptor = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in folder.parts:
            following = os.open(part, os.O_PATH | _FOLDER, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = following
        yield Path(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def folder(name: str | Path, inside: int | None = None) -> Iterator[int]:
    """A descriptor of a folder, and of no link to one, inside the folder `inside`. Raises OSError."""
    descriptor = os.open(name, os.O_RDONLY | _FOLDER, dir_fd=inside)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def regular_file(path: Path, *, may_have_names: bool = False) -> Iterator[int | None]:
    """A descriptor to read a file; None when what `path` names is a link, no regular file or, unless that is fine, has further names.

    What is not to be read is not even opened: opening a pipe or a device can already do something, and a hard link may lead to a file
    that its maker may not read. Raises OSError.
    """
    # O_PATH holds on to what is named without opening it: what is opened below is what was looked at.
    named = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        found = os.fstat(named)
        is_plain = stat.S_ISREG(found.st_mode) and (may_have_names or found.st_nlink <= 1)
        descriptor = os.open(f"/proc/self/fd/{named}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC) if is_plain else None
    finally:
        os.close(named)
    try:
        yield descriptor
    finally:
        if descriptor is not None:
            os.close(descriptor)
