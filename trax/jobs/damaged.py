"""Files of the ledger that cannot be read any more: kept beside what takes their place, under a name that says so.

They are never removed, unless a job that they name is purged.
"""

from __future__ import annotations

import errno
import time
from pathlib import Path

from trax import files
from trax.errors import LedgerError

_MARK = ".damaged-"


def read(path: Path) -> bytes | None:
    """The bytes of a file; None when the disk cannot give them back (EIO). Raises LedgerError when they may not be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        if error.errno == errno.EIO:
            return None
        raise LedgerError(f"The ledger cannot be read: {error.strerror}.", file=str(path)) from error


def set_beside(path: Path) -> Path:
    """Rename a damaged file to a name beside it, durably, and return that name. Raises StorageError."""
    beside = path.with_name(f"{path.name}{_MARK}{time.time_ns()}")
    files.rename(path, beside)
    return beside


def kept_beside(folder: Path) -> tuple[Path, ...]:
    """The damaged files that were set beside in the ledger's folder, by name."""
    return tuple(sorted(folder.glob(f"*{_MARK}*")))
