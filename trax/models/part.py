"""A file that is still arriving: what has come, and what it is a part of. A part is only ever continued with more of the same file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from trax import files
from trax.disk import told

_CHUNK = 1 << 20
_NOTE_LIMIT = 1 << 16


@dataclass(frozen=True, slots=True)
class Origin:
    """Which file of the world a part belongs to.

    `address` is where it was asked for, before any redirect. `validator` is the strong ETag or the Last-Modified that the server gave it,
    empty where it gave none: such a part cannot be continued. `size` is in bytes, None where the server did not tell.
    """

    address: str
    validator: str
    size: int | None


class Part:
    """A file that grows, with a note of its origin beside it.

    Attributes:
        path: where it grows.
        origin: None when nothing is there yet, or nobody can tell of what it is a part.
        length: how many bytes have come.
    """

    def __init__(self, path: Path) -> None:
        """Take up what is there. Reads all of it, for the hash."""
        self.path = path
        self._note = path.with_name(f"{path.name}.origin")
        self.origin = _read_note(self._note)
        self.length = 0
        self._digest = hashlib.sha256()
        if self.origin is not None and path.is_file() and not path.is_symlink():
            with told("read", path), path.open("rb") as handle:
                while chunk := handle.read(_CHUNK):
                    self._count(chunk)

    @property
    def is_whole(self) -> bool:
        """Whether as many bytes are there as there will be."""
        return self.origin is not None and self.length == self.origin.size

    @property
    def sha256(self) -> str:
        """The SHA-256 of what is there, in hex."""
        return self._digest.hexdigest()

    def begin(self, origin: Origin) -> None:
        """Drop what is there; what comes next is of `origin`."""
        self.discard()
        files.make_folder(self.path.parent)
        self._belongs_to(origin)

    def extend(self, chunks: Iterable[bytes]) -> None:
        """Write what comes; what has come stays, whatever ends it. Raises StorageError (DiskFull: for lack of room)."""
        with files.appending(self.path) as handle:
            for chunk in chunks:
                rest = memoryview(chunk)
                while rest:
                    written = handle.write(rest)
                    self._count(rest[:written])
                    rest = rest[written:]

    def end(self) -> None:
        """What is there is all of it."""
        if self.origin is not None and not self.is_whole:
            self._belongs_to(replace(self.origin, size=self.length))

    def discard(self) -> None:
        """Remove all of it."""
        if self.path.parent.is_dir():
            files.remove(self.path)
            files.remove(self._note)
        self.origin, self.length, self._digest = None, 0, hashlib.sha256()

    def _belongs_to(self, origin: Origin) -> None:
        files.write_bytes(self._note, json.dumps(asdict(origin)).encode())
        self.origin = origin

    def _count(self, data: bytes | memoryview) -> None:
        self._digest.update(data)
        self.length += len(data)


def _read_note(note: Path) -> Origin | None:
    try:
        with note.open("rb") as handle:
            plain = json.loads(handle.read(_NOTE_LIMIT))
        address, validator, size = plain["address"], plain["validator"], plain["size"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None  # what nobody can tell the origin of is fetched anew
    if not isinstance(address, str) or not isinstance(validator, str) or not (size is None or isinstance(size, int)):
        return None
    return Origin(address, validator, size)
