"""A disk that loses what was not synced: from the history of Trax's durable operations, what a power cut would have left at each point.

A pure model of what POSIX promises and no more: a file's bytes are kept once the file was synced, a name in a folder once the folder was.
A rename is one transaction on every file system with a journal; on one without, the new name is kept when its folder is synced and the old
one goes when its own is (`is_journalled`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Self


@dataclass(frozen=True, slots=True)
class Event:
    """One operation as told to `trax.disk.observer`, paths relative to the root.

    Of a file that is synced, `data` is what it held and `modified` its mtime in nanoseconds.
    """

    operation: str
    path: str
    made: str | None = None
    data: bytes | None = None
    modified: int | None = None


class Loss(StrEnum):
    """What the power cut takes."""

    NAMES = "all that was not synced, names too"
    DATA = "the bytes that were not synced, their files being empty"
    BLOCKS = "the bytes that were not synced, zeros in their place"


@dataclass(frozen=True, slots=True)
class Remains:
    """What is under one name after a power cut: a file's bytes, a link's target or a folder (both None). Equal `node`s are hard links.

    `modified` is the mtime in nanoseconds of a file that was synced since the history began.
    """

    node: int
    data: bytes | None = None
    target: str | None = None
    modified: int | None = field(default=None, compare=False)


Image = Mapping[str, Remains]


@dataclass(eq=False, slots=True)
class _Node:
    number: int
    is_folder: bool = False
    target: str | None = None
    data: bytes = b""
    kept: bytes = b""
    modified: int | None = None
    names: dict[str, _Node] = field(default_factory=dict)
    kept_names: dict[str, _Node] = field(default_factory=dict)

    def remains(self, loss: Loss) -> Remains:
        if self.is_folder or self.target is not None:
            return Remains(self.number, target=self.target)
        lost = len(self.data) - len(self.kept)
        return Remains(self.number, self.kept + bytes(max(0, lost)) if loss is Loss.BLOCKS else self.kept, modified=self.modified)


class Disk:
    """The disk after some events. To begin with it holds `files`, all durable but the bytes of `unsynced` ones.

    `files` are relative path → bytes; a path that ends in a slash is a folder.
    """

    def __init__(self, files: Mapping[str, bytes], *, unsynced: Collection[str] = (), is_journalled: bool = True) -> None:
        self._is_journalled = is_journalled
        self._count = 0
        self._root = self._node(is_folder=True)
        self._renames: list[tuple[_Node, str, _Node, str]] = []
        for path, data in files.items():
            folder = self._root
            for part in PurePosixPath(path).parts[:-1]:
                folder = folder.names.setdefault(part, self._node(is_folder=True))
            file = self._node(is_folder=path.endswith("/"))
            file.data = data
            folder.names[PurePosixPath(path).name] = file
        self._keep_all()
        for path in unsynced:
            self._find(path).kept = b""

    def _node(self, *, is_folder: bool = False, target: str | None = None) -> _Node:
        self._count += 1
        return _Node(self._count, is_folder, target)

    def _find(self, path: str) -> _Node:
        node = self._root
        for part in PurePosixPath(path).parts:
            node = node.names[part]
        return node

    def _place(self, path: str) -> tuple[_Node, str]:
        pure = PurePosixPath(path)
        return self._find(str(pure.parent)), pure.name

    def cut(self, following: Event, loss: Loss) -> Image:
        """What is left when the power fails just before `following`."""
        if following.operation == "fsync":
            self._find(following.path).data = following.data or b""  # written by now
        return dict(_walk(self._root, loss, PurePosixPath()))

    def apply(self, event: Event) -> Self:
        """Do the operation."""
        match event.operation:
            case "create" | "append" | "mkdir":
                folder, name = self._place(event.path)
                if event.operation == "create" or name not in folder.names:
                    folder.names[name] = self._node(is_folder=event.operation == "mkdir")
            case "fsync":
                file = self._find(event.path)
                file.data = file.kept = event.data or b""
                file.modified = event.modified
            case "fsync folder":
                self._keep_names(self._find(event.path))
            case "syncfs":
                self._keep_all()
            case "unlink" | "rmdir":
                folder, name = self._place(event.path)
                folder.names.pop(name, None)
            case "symlink":
                folder, name = self._place(event.made or "")
                folder.names[name] = self._node(target=event.path)
            case "link" | "rename":
                self._move(event)
        return self

    def _move(self, event: Event) -> None:
        old_folder, old = self._place(event.path)
        new_folder, new = self._place(event.made or "")
        node = old_folder.names[old]
        new_folder.names[new] = node
        if event.operation == "rename":
            del old_folder.names[old]
            if old_folder is not new_folder and (self._is_journalled or node.is_folder):
                self._renames.append((old_folder, old, new_folder, new))

    def _keep_names(self, folder: _Node) -> None:
        folder.kept_names = dict(folder.names)
        together = [rename for rename in self._renames if folder in (rename[0], rename[2])]
        self._renames = [rename for rename in self._renames if rename not in together]
        for old_folder, old, new_folder, new in together:
            for each, name in ((old_folder, old), (new_folder, new)):
                if name in each.names:
                    each.kept_names[name] = each.names[name]
                else:
                    each.kept_names.pop(name, None)

    def _keep_all(self) -> None:
        self._renames = []
        for node in _nodes(self._root):
            node.kept, node.kept_names = node.data, dict(node.names)


def _nodes(node: _Node) -> Iterator[_Node]:
    yield node
    for inside in node.names.values():
        yield from _nodes(inside)


def _walk(folder: _Node, loss: Loss, path: PurePosixPath) -> Iterator[tuple[str, Remains]]:
    for name, node in (folder.kept_names if loss is Loss.NAMES else folder.names).items():
        yield str(path / name), node.remains(loss)
        if node.is_folder:
            yield from _walk(node, loss, path / name)


@dataclass(frozen=True, slots=True)
class Cut:
    """A power cut before operation `number` (from 1; one more than there are is after the last), what it took and what it left."""

    number: int
    loss: str
    image: Image


def power_cuts(files: Mapping[str, bytes], history: Iterable[Event], *, unsynced: Collection[str] = (), first: int = 1) -> Iterator[Cut]:
    """Every power cut from the one before operation `first` on; of those that leave the same, the first."""
    events = [*history, Event("end", "")]
    for is_journalled, losses in ((True, tuple(Loss)), (False, (Loss.NAMES,))):
        disk = Disk(files, unsynced=unsynced, is_journalled=is_journalled)
        seen: list[Image] = []
        for number, event in enumerate(events, start=1):
            for loss in losses if number >= first else ():
                image = disk.cut(event, loss)
                if image not in seen:
                    seen.append(image)
                    yield Cut(number, f"{loss}{'' if is_journalled else ', without a journal'}", image)
            disk.apply(event)
