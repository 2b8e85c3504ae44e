"""TinyDB's storage, made to survive: two snapshots that take turns, each whole, numbered and checksummed.

A write replaces the older of the two (atomically and durably, through `trax.files`), so the former snapshot always stays beside the new one
and costs no second write. A reader takes the newest good one. TinyDB's own JSONStorage overwrites its file in place: a crash can leave
half of it.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinydb.storages import Storage

from trax import files
from trax.errors import DiskFull, LedgerError, StorageError

Tables = dict[str, dict[str, Any]]
#: What to do when no snapshot is left.
MEND = "Bring back a copy of that folder, or move it away: Trax then rebuilds the ledger from the jobs' own folders."
_MAGIC = b"trax-ledger-1"
_NAMES = ("ledger-a.json", "ledger-b.json")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The tables as of write number `sequence`."""

    sequence: int
    tables: Tables


class Encoder:
    """Tables as JSON. One record changes at a time and encoding is most of a write's work, so the text of the others is kept."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], tuple[Any, str]] = {}

    def encode(self, tables: Tables) -> bytes:
        """The JSON of the tables, in ASCII."""
        former, self._kept = self._kept, {}
        texts = (f"{json.dumps(name)}:{{{','.join(self._texts(name, table, former))}}}" for name, table in tables.items())
        return f"{{{','.join(texts)}}}".encode()

    def _texts(self, name: str, table: dict[str, Any], former: dict[tuple[str, str], tuple[Any, str]]) -> Iterator[str]:
        for key, record in table.items():
            kept = former.get((name, key))
            if kept is None or kept[0] != record:
                kept = record, f"{json.dumps(key)}:{json.dumps(record, separators=(',', ':'))}"
            self._kept[name, key] = kept
            yield kept[1]


def pack(sequence: int, body: bytes) -> bytes:
    """The bytes of a snapshot: a line of magic, sequence number and SHA-256 of all that follows it, then its tables as JSON."""
    head = b"%s %d" % (_MAGIC, sequence)
    return b"%s %s\n%s" % (head, hashlib.sha256(head + body).hexdigest().encode(), body)


def unpack(data: bytes) -> Snapshot | None:
    """The snapshot in `data`; None when a bit of it is not as it was written."""
    line, _, body = data.partition(b"\n")
    try:
        magic, sequence, digest = line.split(b" ")
        if magic != _MAGIC or hashlib.sha256(b"%s %s" % (magic, sequence) + body).hexdigest().encode() != digest:
            return None
        return Snapshot(int(sequence), json.loads(body))
    except ValueError:
        return None


class SnapshotStorage(Storage):
    """The ledger's tables in `folder`. Reads come from memory; a write is durable when it returns.

    `damaged` lists the snapshots that could not be read when opening. They are set beside under another name before anything is written
    (never when `read_only`). Raises LedgerError when there are snapshots and none is good.
    """

    def __init__(self, folder: Path, *, read_only: bool = False) -> None:
        found = {path: _read(path) for path in (folder / name for name in _NAMES) if path.exists()}
        good = [snapshot for snapshot in found.values() if snapshot is not None]
        if found and not good:
            raise LedgerError("Neither snapshot of the ledger can be read.", file=str(folder), advice=MEND)
        self._folder = folder
        self._read_only = read_only
        self._is_broken = False
        self._encoder = Encoder()
        self._current = max(good, key=lambda snapshot: snapshot.sequence, default=Snapshot(0, {}))
        self.is_new = not found
        self.damaged = tuple(self._set_beside(path) for path, snapshot in found.items() if snapshot is None)

    def _set_beside(self, path: Path) -> Path:
        if self._read_only:
            return path
        beside = path.with_name(f"{path.name}.damaged-{time.time_ns()}")
        files.rename(path, beside)
        return beside

    def read(self) -> Tables:
        """The tables, copied as deep as TinyDB changes them in place: ours change only once the disk has."""
        return {name: {key: dict(record) for key, record in table.items()} for name, table in self._current.tables.items()}

    def write(self, data: Tables) -> None:
        """Make the tables durable. Raises DiskFull, after which all is as before, or StorageError, after which every write is refused."""
        if self._read_only:
            raise LedgerError("The ledger was opened for reading.", file=str(self._folder))
        if self._is_broken:
            raise LedgerError("An earlier write to the ledger failed.", file=str(self._folder), advice="Check the disk and restart traxd.")
        following = Snapshot(self._current.sequence + 1, data)
        try:
            files.write_bytes(self._folder / _NAMES[following.sequence % 2], pack(following.sequence, self._encoder.encode(data)))
        except DiskFull:
            raise
        except StorageError:
            # What the disk holds is unknown now, and a repeated fsync would succeed without having written: only a restart reads the truth.
            self._is_broken = True
            raise
        self._current = following


def _read(path: Path) -> Snapshot | None:
    try:
        return unpack(path.read_bytes())
    except OSError as error:
        raise LedgerError(f"The ledger cannot be read: {error.strerror}.", file=str(path)) from error
