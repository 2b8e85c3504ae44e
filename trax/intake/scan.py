"""What lies in the inbox. Nothing is opened and no link followed; whatever is not ignored is reported, so that it gets an answer."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from trax.intake import beneath
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
        return sighting_of(path.lstat())
    except OSError:
        return None


def scan(inbox: Path) -> Scan:
    """Everything in the inbox that is not ignored, subfolders included. Folders themselves, empty or not, are left alone."""
    result = Scan()
    for each in walk(inbox, result.problems):
        for entry in each.others:
            with contextlib.suppress(FileNotFoundError):  # renamed or removed while we look
                result.sightings[each.path_of(entry.name)] = sighting_of(entry.stat(follow_symlinks=False))
    return result


@dataclass(frozen=True, slots=True)
class Folder:
    """An open folder of the inbox: its path relative to the inbox (empty for itself), and what in it is no folder."""

    relative: str
    descriptor: int
    others: tuple[os.DirEntry[str], ...]

    def path_of(self, name: str) -> str:
        """The path relative to the inbox of what has that name in here."""
        return f"{self.relative}/{name}" if self.relative else name


def walk(inbox: Path, problems: dict[str, str]) -> Iterator[Folder]:
    """Every folder of the inbox that is not ignored, open while it is looked at; what keeps us out of one is put into `problems`.

    Each is opened by its name in the open folder that holds it: so no link in the way is followed, and no path is too long.
    """
    with _noted(problems, ""), beneath.folder(inbox.resolve()) as descriptor:
        yield from _walk("", descriptor, 0, problems)


def _walk(relative: str, descriptor: int, depth: int, problems: dict[str, str]) -> Iterator[Folder]:
    inner: list[os.DirEntry[str]] = []
    others: list[os.DirEntry[str]] = []
    with os.scandir(descriptor) as entries:
        for entry in entries:
            if not is_ignored(entry.name):
                (inner if entry.is_dir(follow_symlinks=False) else others).append(entry)
    here = Folder(relative, descriptor, tuple(others))
    yield here
    for entry in inner:
        path = here.path_of(entry.name)
        if depth == DEEPEST:
            problems[path] = f"more than {DEEPEST} folders deep"
            continue
        with _noted(problems, path), beneath.folder(entry.name, descriptor) as following:
            yield from _walk(path, following, depth + 1, problems)


@contextlib.contextmanager
def _noted(problems: dict[str, str], relative: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        problems[relative] = error.strerror or str(error)


def sighting_of(found: os.stat_result) -> Sighting:
    """What the system told of one file."""
    return Sighting(found.st_size, found.st_mtime_ns, found.st_ino, found.st_dev, found.st_mode, found.st_nlink)
