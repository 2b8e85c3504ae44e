"""The answer that a job gave before its speakers were sought anew: kept in the job's folder, `former/<when that run began>/`.

It goes with the folder: by retention or by a purge. Should the new run come to nothing after the outbox has begun to change, it is
published once more.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from trax import files
from trax.jobs.outputs import ENDINGS, RESULT_ENDING
from trax.pipeline.publish import is_unchanged, read_manifest

FOLDER = "former"


def place(folder: Path, run: str) -> Path:
    """Where the answer of this run of the job, whose folder is `folder`, is kept: `former/20261128-191520.250`."""
    seconds, _, fraction = f"{float(run):.3f}".partition(".")
    return folder / FOLDER / f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime(int(seconds)))}.{fraction}"


def keep(outbox: Path, folder: Path, run: str) -> None:
    """Keep what the outbox holds of the answer of this run, unless another has begun to take its place. Raises StorageError.

    What a person has changed or taken away is not that answer any more.
    """
    manifest = read_manifest(folder)
    if manifest.run != run:
        return
    kept = place(folder, run)
    files.make_folder(kept)
    files.remove_temporaries(kept)
    for relative, digest in manifest.files.items():
        if is_unchanged(outbox / relative, digest):
            files.copy(outbox / relative, kept / PurePosixPath(relative).name)


def is_any_kept(folder: Path) -> bool:
    """Whether the job has former answers."""
    return (folder / FOLDER).is_dir()


def outputs(folder: Path, run: str) -> dict[str, Iterable[bytes]]:
    """The kept answer of this run by ending, the JSON last; empty where none is kept."""
    kept = place(folder, run)
    names = sorted((path.name for path in kept.glob("*")), key=lambda name: name.endswith(RESULT_ENDING))
    return {_ending(name): ((kept / name).read_bytes(),) for name in names if not name.startswith(".")}


def _ending(name: str) -> str:
    return next(ending for ending in ENDINGS if name.endswith(ending))


def drop(folder: Path, run: str) -> None:
    """The answer of this run is published: it is a former one no more. Raises StorageError."""
    files.remove_tree(place(folder, run))
    files.remove_if_empty(folder / FOLDER)


def drop_naming(folder: Path, name: str) -> None:
    """Remove the former answers that name this person, or suggest them. Raises StorageError."""
    for kept in sorted(folder.glob(f"{FOLDER}/*")):
        if any(name in _named_in(path) for path in kept.glob(f"*{RESULT_ENDING}")):
            files.remove_tree(kept)


def _named_in(path: Path) -> set[str]:
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
        return {str(speaker["profile"]["name"]) for speaker in json.loads(path.read_bytes())["speakers"] if "profile" in speaker}
    return set()


def listed(folder: Path) -> list[Path]:
    """The files of all former answers, oldest answer first."""
    return sorted(path for path in folder.glob(f"{FOLDER}/*/*") if not path.name.startswith("."))
