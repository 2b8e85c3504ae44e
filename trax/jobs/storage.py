"""TinyDB's storage, made to survive: two snapshots that take turns, each whole, numbered and checksummed.

A write replaces the older of the two (atomically and durably, through `trax.files`), so the former snapshot always stays beside the new one
and costs no second write. A reader takes the newest good one. TinyDB's own JSONStorage overwrites its file in place: a crash can leave
half of it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinydb.storages import Storage

from trax import files
from trax.errors import DiskFull, LedgerError, TraxError
from trax.jobs import damaged

Tables = dict[str, dict[str, Any]]
#: What to do when no snapshot is left.
MEND = "Bring back a copy of that folder, or move it away: at its next start traxd rebuilds the ledger from the jobs' own folders."
_MAGIC = b"trax-ledger-1"
_NAMES = ("ledger-a.json", "ledger-b.json")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The tables as of write number `sequence`."""

    sequence: int
    tables: Tables


class Encoder:
    """Tables as JSON. One record changes at a time and encoding is most of a write's work, so the text of the others is kept.

    A record is known by its identity: one that changed must be another object. (Each is held here, so no identity is given out twice.)
    """

    def __init__(self) -> None:
        self._kept: dict[str, dict[str, tuple[Any, bytes]]] = {}

    def encode(self, tables: Tables) -> Iterator[bytes]:
        """The JSON of the tables, in ASCII, in pieces: a whole of this size is copied once, not at every step."""
        before = b"{"
        for name, table in tables.items():
            yield before + _json(name) + b":{"
            yield from self._texts(name, table)
            before = b"},"
        yield b"}}" if tables else b"{}"

    def _texts(self, name: str, table: dict[str, Any]) -> Iterator[bytes]:
        kept = self._kept.setdefault(name, {})
        for key in kept.keys() - table.keys():
            del kept[key]
        before = b""
        for key, record in table.items():
            if key not in kept or kept[key][0] is not record:
                kept[key] = record, b"%s:%s" % (_json(key), _json(record))
            yield before
            yield kept[key][1]
            before = b","


def _json(value: Any) -> bytes:  # noqa: ANN401 - what JSON can say has no type
    return json.dumps(value, separators=(",", ":")).encode()


def pack(sequence: int, body: Iterable[bytes]) -> bytes:
    """The bytes of a snapshot: a line of magic, sequence number and SHA-256 of all but itself, then its tables as JSON."""
    head, pieces = b"%s %d" % (_MAGIC, sequence), tuple(body)
    return b"".join((b"%s %s\n" % (head, _digest(head, *pieces)), *pieces))


def unpack(data: bytes) -> Snapshot | None:
    """The snapshot in `data`; None when a bit of it is not as it was written."""
    line, _, body = data.partition(b"\n")
    try:
        magic, sequence, digest = line.split(b" ")
        if magic != _MAGIC or _digest(b"%s %s" % (magic, sequence), body) != digest:
            return None
        return Snapshot(int(sequence), json.loads(body))
    except (ValueError, RecursionError):
        return None


def _digest(*pieces: bytes) -> bytes:
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest().encode()


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
        bad = tuple(path for path, snapshot in found.items() if snapshot is None)
        self.damaged = bad if read_only else tuple(map(damaged.set_beside, bad))
        if len(good) == 1 and not read_only:
            with contextlib.suppress(DiskFull):
                self.write(self._current.tables)  # the next damage must find another to fall back to

    def read(self) -> Tables:
        """The tables. Their records are those in memory: a table of the ledger replaces records and never changes them in place."""
        return {name: dict(table) for name, table in self._current.tables.items()}

    def write(self, data: Tables) -> None:
        """Make the tables durable. Raises DiskFull (all is as before), or what else the disk says: every write is refused then."""
        if self._read_only:
            raise LedgerError("The ledger was opened for reading.", file=str(self._folder))
        if self._is_broken:
            raise LedgerError("An earlier write to the ledger failed.", file=str(self._folder), advice="Check the disk and restart traxd.")
        following = Snapshot(self._current.sequence + 1, data)
        try:
            files.write_bytes(self._folder / _NAMES[following.sequence % 2], pack(following.sequence, self._encoder.encode(data)))
        except DiskFull:
            raise
        except TraxError:
            # What the disk holds is unknown now, and a repeated fsync would succeed without having written: only a restart reads the truth.
            self._is_broken = True
            raise
        self._current = following

    def write_again(self) -> None:
        """Write the tables once more, so that the former snapshot does not hold what is no longer in them. Raises as `write`."""
        self.write(self._current.tables)


def _read(path: Path) -> Snapshot | None:
    data = damaged.read(path)
    return None if data is None else unpack(data)
