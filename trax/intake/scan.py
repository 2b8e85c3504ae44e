"""What lies in the inbox. Nothing is opened and no link followed; whatever is not ignored is reported, so that it gets an answer."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field
from pathlib import Path

from trax.intake.names import is_ignored
from trax.intake.settle import Sighting

#: Deeper subfolders are not looked into: no one sorts recordings so deep, and a bind mount can go round in circles.
DEEPEST = 32


@dataclass(slots=True)
class Scan:
    """Sightings by path relative to the inbox, and in words the folders that could not be looked into."""

    sightings: dict[str, Sighting] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)


def sight(path: Path) -> Sighting | None:
    """A look at one name; None when it is gone or out of reach."""
    try:
        return _sighting(path.lstat())
    except OSError:
        return None


def scan(inbox: Path) -> Scan:
    """Everything in the inbox that is not ignored, subfolders included. Folders themselves, empty or not, are left alone."""
    result = Scan()
    folders = [""]
    while folders:
        folder = folders.pop()
        try:
            folders += _scan_folder(inbox, folder, result)
        except OSError as error:
            result.problems[folder] = error.strerror or str(error)
    return result


def _scan_folder(inbox: Path, folder: str, result: Scan) -> list[str]:
    subfolders = []
    with os.scandir(inbox / folder) as entries:
        for entry in entries:
            if is_ignored(entry.name):
                continue
            relative = f"{folder}/{entry.name}" if folder else entry.name
            if not entry.is_dir(follow_symlinks=False):
                with contextlib.suppress(FileNotFoundError):  # renamed or removed while we look
                    result.sightings[relative] = _sighting(entry.stat(follow_symlinks=False))
            elif relative.count("/") < DEEPEST:
                subfolders.append(relative)
            else:
                result.problems[relative] = f"more than {DEEPEST} folders deep"
    return subfolders


def _sighting(found: os.stat_result) -> Sighting:
    return Sighting(found.st_size, found.st_mtime_ns, found.st_ino, found.st_dev, found.st_mode)
