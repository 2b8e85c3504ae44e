"""`seen.log`: which recording was completed by which job. Appended to, but for a purge; what is lost can be rebuilt from the ledger."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from trax import files
from trax.errors import StorageError
from trax.jobs import damaged


class Seen:
    """The log at `path`: a line each of SHA-256, job id and CRC-32. The last line about a recording holds.

    `needs_rebuild` says that the log is missing or a line of it is damaged or cut short; the others hold until then. Raises LedgerError
    when it may not be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._jobs: dict[str, str] = {}
        data = damaged.read(path) if path.exists() else None
        *lines, rest = (data or b"").split(b"\n")
        self._is_torn = rest != b""
        self.needs_rebuild = data is None or self._is_torn
        for pair in map(_pair, lines):
            if pair is None:
                self.needs_rebuild = True
            else:
                self._jobs[pair[0]] = pair[1]

    def find(self, media_id: str) -> str | None:
        """The id of the last job that completed the recording with this SHA-256."""
        return self._jobs.get(media_id)

    def known(self) -> Mapping[str, str]:
        """The last job that completed each recording, by the recording's SHA-256."""
        return self._jobs

    def set_beside(self) -> Path | None:
        """Keep the log that is to be rebuilt beside the new one; returns where, None when there is none. Raises StorageError."""
        return damaged.set_beside(self._path) if self._path.exists() else None

    def add(self, media_id: str, job_id: str) -> None:
        """Remember, durably. Raises StorageError."""
        # A torn line is ended first: it then is one damaged line, and what follows is whole.
        line = (b"\n" if self._is_torn else b"") + _line(media_id, job_id)
        self._is_torn = True
        files.append(self._path, line)
        self._is_torn = False
        self._jobs[media_id] = job_id

    def rebuild(self, completed: Iterable[tuple[str, str]]) -> None:
        """Write the log anew from (SHA-256, job id) pairs, oldest first. Raises StorageError."""
        jobs = dict(completed)
        files.write_bytes(self._path, b"".join(_line(media_id, job_id) for media_id, job_id in jobs.items()))
        self._jobs, self._is_torn, self.needs_rebuild = jobs, False, False

    def forget(self, job_id: str) -> None:
        """Write the log anew without the job, durably: what an earlier job completed is known by that one again. Raises StorageError."""
        try:
            lines = self._path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return
        except OSError as error:
            raise StorageError(f"Could not read: {error.strerror}.", file=str(self._path)) from error
        self.rebuild(pair for pair in map(_pair, lines) if pair is not None and pair[1] != job_id)


def _pair(line: bytes) -> tuple[str, str] | None:
    """The SHA-256 and the job's id of a line; None when a bit of it is not as it was written."""
    content, _, check = line.rpartition(b" ")
    if check != b"%08x" % zlib.crc32(content) or not content.isascii():
        return None
    media_id, _, job_id = content.decode().partition(" ")
    return media_id, job_id


def _line(media_id: str, job_id: str) -> bytes:
    content = f"{media_id} {job_id}".encode()
    return b"%s %08x\n" % (content, zlib.crc32(content))
