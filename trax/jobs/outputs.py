"""What the outbox holds of a recording: its outputs, or the answer to a failure, all under one name."""

from __future__ import annotations

import os
from pathlib import Path
from typing import get_args

from trax.config import OutputFormat

#: Where Trax keeps, within an inbox or an outbox, what it is about to rename; ignored by the scan.
SIDE_FOLDER = ".trax"
#: Held with `flock`, in a folder of an outbox's side folder, by the process whose work lies there.
WORK_LOCK = ".lock"
#: The ending of the result that is written last and names the others.
RESULT_ENDING = ".json"
#: The ending of the answer to a failure.
ERROR_ENDING = ".error.json"
#: Every ending an output may have.
ENDINGS = (ERROR_ENDING, *(f".{name}" for name in get_args(OutputFormat)))


def in_outbox(outbox: Path, name: str) -> tuple[str, ...]:
    """What in the outbox already goes by this output name, whoever put it there; relative to the outbox."""
    # As text: `pathlib` interns the names it is given, and here most are of files that never come to be.
    return tuple(each for each in (f"{name}{ending}" for ending in ENDINGS) if os.path.lexists(f"{outbox}/{each}"))


def is_in_outbox(outbox: Path, name: str) -> bool:
    """Whether anything in the outbox already goes by this output name: it is not written over."""
    return bool(in_outbox(outbox, name))
