"""What is asked for while no daemon can do it, or must be done to the end: one JSON file each in `state/requests/`.

The file holds what would have gone over the socket. traxd does what they say when it starts, in order of asking.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trax import files
from trax.errors import DiskFull
from trax.jobs.folders import StateFolders


def leave(folders: StateFolders, request: Mapping[str, Any]) -> Path:
    """Write a request, durably, and return its file. Raises StorageError; DiskFull says to ask again."""
    try:
        return _write(folders, request)
    except DiskFull as error:
        advice = "This was not done: make room on the disk, then ask again."
        raise DiskFull(error.what, file=error.file, advice=advice) from error


def _write(folders: StateFolders, request: Mapping[str, Any]) -> Path:
    files.make_folder(folders.requests)
    owner = folders.root.stat()
    path = folders.requests / f"{time.time_ns():020d}-{secrets.token_hex(4)}.json"
    with files.replacing(path) as handle:
        handle.write(json.dumps(request).encode() + b"\n")
        if os.geteuid() == 0:
            # an administrator asks, the daemon's user has to read it
            os.fchown(handle.fileno(), owner.st_uid, owner.st_gid)  # noqa: TID251 - of a file that has no name and is not synced yet
    return path


def left(folders: StateFolders) -> tuple[Path, ...]:
    """The requests that wait, in order of asking."""
    return tuple(sorted(folders.requests.glob("*.json")))
