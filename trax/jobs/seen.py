"""`seen.log`: which recording was completed by which job. Only ever appended to; what is lost of it can be rebuilt from the ledger."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from pathlib import Path

from trax import files
from trax.errors import StorageError


class Seen:
    """The log at `path`: a line each of SHA-256, job id and CRC-32. The last line about a recording holds.

    A last line cut short by a crash is ignored. `needs_rebuild` says that the log is missing or a line of it is damaged.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._jobs: dict[str, str] = {}
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            data = b""
            self.needs_rebuild = True
        except OSError as error:
            raise StorageError(f"Could not read: {error.strerror}.", file=str(path)) from error
        else:
            self.needs_rebuild = False
        *lines, rest = data.split(b"\n")
        self._is_torn = rest != b""
        for line in lines:
            self._take(line)

    def _take(self, line: bytes) -> None:
        content, _, check = line.rpartition(b" ")
        if check != b"%08x" % zlib.crc32(content):
            self.needs_rebuild = True
            return
        media_id, _, job_id = content.decode().partition(" ")
        self._jobs[media_id] = job_id

    def find(self, media_id: str) -> str | None:
        """The id of the last job that completed the recording with this SHA-256."""
        return self._jobs.get(media_id)

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


def _line(media_id: str, job_id: str) -> bytes:
    content = f"{media_id} {job_id}".encode()
    return b"%s %08x\n" % (content, zlib.crc32(content))
