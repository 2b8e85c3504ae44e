"""Getting the files of a model to where it can be made: fetched into `.downloads`, or found in a folder; each with its SHA-256."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from trax import files
from trax.errors import ModelError
from trax.models.catalogue import Entry
from trax.models.download import Display, Sleep, Wanted, client, fetch
from trax.models.ggml import hugging_face
from trax.models.part import Part
from trax.models.places import addresses, may_see_token

_DOWNLOADS = ".downloads"
#: What is made of a download needs at most this share of its room: eight bits of sixteen, and the scales of the blocks.
_MADE = 0.55


@dataclass(frozen=True, slots=True)
class Source:
    """Where to pull from: a folder, else an address below which the files lie, else the catalogue's own through `mirror`."""

    mirror: str
    token: str | None = None
    folder: Path | None = None
    base: str | None = None


@dataclass(frozen=True, slots=True)
class Arrived:
    """One file as it came. `part` is None for one that belongs to the user and stays as it is."""

    name: str
    path: Path
    sha256: str
    part: Part | None = None


@contextlib.contextmanager
def room_for_downloads(state_models: Path, name: str) -> Iterator[Path]:
    """The folder in which the files of a model arrive, for the block; it stays, for a later pull to go on.

    Raises ModelError when another process pulls the same model, StorageError when the folder cannot be written.
    """
    downloads = state_models / _DOWNLOADS
    files.make_folder(downloads)
    try:
        with files.locked(downloads / f"{name}.lock") as ours:
            if not ours:
                advice = "Wait until that is done; if it seems to stand still, end it: what has come is kept."
                raise ModelError(f"{name} is being pulled already at this moment.", file=str(downloads), advice=advice)
            folder = downloads / name
            if folder.is_dir():
                files.remove_temporaries(folder)
            yield folder
    finally:
        for each in (state_models, downloads, downloads / name):
            if each.is_dir():  # an administrator pulls, the daemon's user goes on
                files.hand_over(each, like=state_models.parent)


def fetched(entry: Entry, source: Source, folder: Path, display: Display, sleep: Sleep) -> tuple[Arrived, ...]:
    """Every file of an entry, fetched into `folder`. Raises what `trax.models.download.fetch` does."""
    places = addresses(entry, mirror=source.mirror, base=source.base)
    made = math.ceil(_MADE * (entry.size or 0)) if entry.convert or entry.quantise else 0
    arrived = []
    with client() as http:
        for number, file in enumerate(entry.files):
            later = sum(other.size or 0 for other in entry.files[number + 1 :])
            token = source.token if may_see_token(places[file.name], mirror=source.mirror) else None
            part = Part(folder / file.name)
            fetch(Wanted(places[file.name], file.size, token, later + made), part, http, display, sleep)
            arrived.append(Arrived(file.name, part.path, part.sha256, part))
    return tuple(arrived)


def found(entry: Entry, folder: Path) -> tuple[Arrived, ...]:
    """The files of an entry in a folder of the user's: those that the catalogue names, or else those of the model at Hugging Face.

    Of an entry with one file `folder` may be that file, whatever it is called. Raises ModelError when nothing fits, or a file cannot
    be read.
    """
    if not folder.exists():
        raise ModelError("There is no such folder.", file=str(folder), advice="Check the path after --from, and that it is mounted.")
    paths = {file.name: folder / Path(file.name).name for file in entry.files}
    if len(paths) == 1 and folder.is_file():
        paths = dict.fromkeys(paths, folder)
    if not all(path.is_file() for path in paths.values()):
        if not (folder / "config.json").is_file():
            names = ", ".join(path.name for path in paths.values())
            advice = f"It should hold {names}, or config.json, model.safetensors and vocab.json as they lie at Hugging Face."
            raise ModelError(f"{entry.name} is not in this folder.", file=str(folder), advice=advice)
        paths = {path.name: path for path in hugging_face.files_of(folder)}
    try:
        return tuple(Arrived(name, path, files.sha256_of(path.resolve())) for name, path in paths.items())
    except OSError as error:
        what = f"A file of {entry.name} cannot be read: {error.strerror}."
        raise ModelError(what, file=str(error.filename or folder), advice="Check its permissions.") from error
