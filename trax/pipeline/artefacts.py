"""The artefacts of a job on disk: each file with a stamp beside it, written only once the file is durable.

The stamp also holds what the file can be told by, so that one that was damaged, exchanged or half made is made again.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from trax import files
from trax.errors import WorkerCrashed
from trax.pipeline.stages import LARGE, Stage


@dataclass(frozen=True, slots=True)
class Made:
    """What is known of an artefact: the stamp it carries, the stage's small result, and seconds of wall time it took."""

    stamp: str
    result: Mapping[str, Any]
    seconds: float


@cache
def _stamp_file(artefact: str) -> str:
    return f"{artefact}.stamp"  # one string for good: `pathlib` interns what it is given, and names that come and go fill that table


def _stamp_path(folder: Path, stage: Stage) -> Path:
    return folder / _stamp_file(stage.makes)


def read(folder: Path, stage: Stage) -> Made | None:
    """What lies in the folder for this stage; None when nothing does, or what does cannot be trusted.

    An artefact that is too large to keep may be gone, see `is_kept`; any other is only there with its file.
    """
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
        plain = json.loads(_stamp_path(folder, stage).read_bytes())
        made = Made(str(plain["stamp"]), dict(plain["result"]), float(plain["seconds"]))
        is_dropped = stage.makes in LARGE and not is_kept(folder, stage)
        return made if is_dropped or plain["file"] == _fingerprint(folder, stage) else None
    return None


def was_recorded(folder: Path, stage: Stage) -> bool:
    """Whether the stage came to its end, whatever has become of what it made."""
    return _stamp_path(folder, stage).exists()


def record(folder: Path, stage: Stage, made: Made) -> None:
    """Stamp an artefact whose file is durable already. Raises WorkerCrashed when there is no such file."""
    try:
        fingerprint = _fingerprint(folder, stage)
    except OSError as error:
        raise WorkerCrashed(f"The stage {stage.name} ended without its result ({error.strerror}).") from error
    plain = {"stamp": made.stamp, "result": dict(made.result), "seconds": round(made.seconds, 3), "file": fingerprint}
    files.write_bytes(_stamp_path(folder, stage), json.dumps(plain, separators=(",", ":")).encode())


def _fingerprint(folder: Path, stage: Stage) -> str:
    """What the artefact's file is told by: its hash, or its size where hashing would take long. Raises OSError when it is not there."""
    if stage.file is None:
        return ""
    path = folder / stage.file
    return f"{path.stat().st_size} bytes" if stage.makes in LARGE else files.sha256_of(path)


def made_since(folder: Path, stages: tuple[Stage, ...], moment: float) -> bool:
    """Whether an artefact was stamped after `moment`, in seconds since the epoch."""
    stamps = (_stamp_path(folder, stage) for stage in stages)
    return any(path.exists() and path.stat().st_mtime > moment for path in stamps)


def forget(folder: Path, stage: Stage) -> None:
    """Take the stamp away, so that the stage runs again."""
    path = _stamp_path(folder, stage)
    if path.exists():
        files.remove(path)


def is_kept(folder: Path, stage: Stage) -> bool:
    """Whether the artefact's file is there (a stage whose small result is all it makes keeps that in its stamp)."""
    return stage.file is None or (folder / stage.file).is_file()


def drop_large(folder: Path, stages: tuple[Stage, ...]) -> bool:
    """Remove the files that are too large to keep; their stamps stay, since the artefacts made from them are still valid.

    Returns whether there were any.
    """
    large = [folder / stage.file for stage in stages if stage.makes in LARGE and stage.file is not None and is_kept(folder, stage)]
    for path in large:
        files.remove(path)
    return bool(large)


def copy_small(source: Path, target: Path, stages: tuple[Stage, ...]) -> None:
    """Copy the artefacts of an earlier job over the same recording, each file before its stamp; of large ones only that they were made.

    What the job has made itself stays: it may have settings of its own, and its work must not be done again.
    """
    for stage in stages:
        if read(target, stage) is not None or read(source, stage) is None:
            continue
        if stage.file is not None and stage.makes not in LARGE:
            files.copy(source / stage.file, target / stage.file)
        files.copy(_stamp_path(source, stage), _stamp_path(target, stage))
