"""Folders inside the inbox, reached without following a link.

Whoever may write to the inbox may put a link in place of a subfolder between our look and our move. Each part of the way is therefore
opened by itself and never as a link; what is reached through the open folder stays there, whatever happens to the names above it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath


@contextlib.contextmanager
def opened(root: Path, folder: PurePosixPath) -> Iterator[Path]:
    """A path to `root / folder` that keeps its meaning for the block. Raises OSError when it is gone or goes through a link."""
    descriptor = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in folder.parts:
            following = os.open(part, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = following
        yield Path(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
