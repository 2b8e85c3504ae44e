"""Pulling a model of the catalogue: its files are gathered and verified, it is made of them, and installed. Nothing comes unless asked for.

A file whose hash nobody published is pinned: its SHA-256 is remembered at the first pull, and what comes later must have the same.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from trax import files
from trax.disk import told
from trax.errors import Cancelled, DiskFull, ModelError, StorageError
from trax.models.catalogue import Entry, catalogue, settings_of
from trax.models.download import Display, Sleep
from trax.models.gathering import Arrived, Source, fetched, found, room_for_downloads
from trax.models.ggml.check import check_whole
from trax.models.ggml.file import read, write
from trax.models.ggml.hugging_face import converted
from trax.models.ggml.quantize import quantized
from trax.models.installing import FILE, put, room_for_one
from trax.models.model import Model
from trax.models.network import Network
from trax.models.pins import FILE as PINS
from trax.models.pins import pin, pinned
from trax.models.store import read_card
from trax.text import size

_CONFIG = "config.json"
_AGAIN = "the same command again: it goes on where it stopped."


@dataclass(frozen=True, slots=True)
class Pulled:
    """A model as installed; `is_new` is false when it was there already and nothing was fetched."""

    model: Model
    is_new: bool


def pull(name: str, state_models: Path, source: Source, display: Display, sleep: Sleep = time.sleep) -> Pulled:
    """Install the model `name` of the catalogue under `state_models`, and return it. Pulling it again changes nothing.

    Raises:
        ModelError: the catalogue has no such model to pull; or its name is taken; or what came is not that model, or no whole one.
        ModelUnreachable: the source does not answer, again and again. What has come is kept.
        StorageError: the disk refuses (DiskFull: for lack of room). What has come is kept.
        Cancelled: Ctrl-C. What has come is kept.
    """
    entry = _entry(name)
    with room_for_downloads(state_models, name) as folder:
        expected = {**pinned(state_models, name), **{file.name: file.sha256 for file in entry.files if file.sha256 is not None}}
        if (there := _installed(entry, state_models / name, expected)) is not None:
            return Pulled(there, is_new=False)
        try:
            arrived = found(entry, source.folder) if source.folder else fetched(entry, source, folder, display, sleep)
            _verify(entry, arrived, expected, state_models)
            model = _made(entry, arrived, expected, state_models, source, display)
        except KeyboardInterrupt:
            kept = sum(path.stat().st_size for file in entry.files if (path := folder / file.name).is_file())
            what = f"{size(kept)} of {name} are kept" if kept else f"nothing of {name} was fetched"
            raise Cancelled(f"Stopped; {what}.", advice=f"Give {_AGAIN}") from None
        except StorageError as error:
            mend = "Make room" if isinstance(error, DiskFull) else "Mend that"
            advice = f"{mend} and give {_AGAIN}" if error.advice == error.default_advice else error.advice
            raise type(error)(error.what, file=error.file, advice=advice) from error
        files.remove_tree(folder)
    return Pulled(model, is_new=True)


def _entry(name: str) -> Entry:
    """What the catalogue says of a model that can be pulled."""
    known = {entry.name: entry for entry in catalogue().models}
    entry = known.get(name)
    offered = [each.name for each in known.values() if each.origin == "download" and each.loadable]
    if entry is None:
        close = get_close_matches(name, offered, n=1)
        guess = f"Did you mean {close[0]}? " if close else ""
        raise ModelError(f"The catalogue has no model named {name!r}.", advice=f"{guess}`trax-ctl models list` shows what can be pulled.")
    if entry.origin == "setup":
        raise ModelError(f"{name} is not pulled but made.", advice="Use `trax-ctl models setup`.")
    if entry.origin != "download":
        raise ModelError(f"{name} comes with Trax: there is nothing to pull.", advice="If it is missing, install Trax again.")
    if not entry.loadable:
        raise ModelError(f"This version of Trax cannot load {name}.", advice="`trax-ctl models list` shows what can be pulled.")
    return entry


def _installed(entry: Entry, target: Path, expected: Mapping[str, str]) -> Model | None:
    """The model if it is installed already, verified anew. Raises ModelError when another one has its name, or it is damaged."""
    if not target.exists():
        return None
    again = f"Remove it with `trax-ctl models remove {entry.name}` and pull it again."
    try:
        there = read_card(target)
    except ModelError as error:
        raise ModelError(error.what, file=error.file, advice=again) from error
    came = there.pulled.get("files")
    if not isinstance(came, Mapping):  # it was added by hand: it is its file, as it came
        came = {entry.files[0].name: there.sha256}
    if any(expected.get(name, sha256) != sha256 for name, sha256 in came.items()):
        raise ModelError(f"There is another model named {entry.name} already.", file=str(target), advice=again)
    with told("read", target):
        if files.sha256_of(Path(str(there.path))) != there.sha256:
            raise ModelError("The file has changed: its SHA-256 is not the one on its card.", file=there.path, advice=again)
    return there


def _verify(entry: Entry, arrived: Sequence[Arrived], expected: Mapping[str, str], state_models: Path) -> None:
    """Whether every file is what it has to be. What was fetched and is not, is removed."""
    published = {file.sha256 for file in entry.files}
    for file in arrived:
        wanted = expected.get(file.name, file.sha256)
        if file.sha256 == wanted:
            continue
        place = str(file.path)
        if file.part is not None:
            place = file.part.origin.address if file.part.origin else place
            file.part.discard()
        what = f"{file.name} is not the file it has to be: its SHA-256 is {file.sha256}"
        if wanted in published:
            advice = "Nothing was installed. Check the mirror, the address or the folder: what lies there is damaged or another model."
            raise ModelError(f"{what}, and the published one is {wanted}.", file=place, advice=advice)
        advice = f"Ask its publisher; if it was changed on purpose, take {entry.name} out of {state_models / PINS} and pull it again."
        raise ModelError(f"{what}, and at the first pull it was {wanted}.", file=place, advice=advice)


def _made(
    entry: Entry, arrived: Sequence[Arrived], expected: Mapping[str, str], state_models: Path, source: Source, display: Display
) -> Model:
    """The model made of what arrived, installed."""
    new = {file.name: file.sha256 for file in arrived if file.name not in expected}
    with room_for_one(state_models) as folder:
        made = folder / FILE
        try:
            _make(entry, arrived, made, display)
            settings = _checked(entry, made)
        except ModelError:
            for file in arrived:
                if file.name in new and file.part is not None:  # what nobody vouches for is fetched anew next time
                    file.part.discard()
            raise
        sha256 = files.sha256_of(made)
        for name, hash_of_it in new.items():
            display.note(f"No published hash of {name} is known. It is pinned: every later pull must bring SHA-256 {hash_of_it}.")
        known = entry.as_model(path=Path(FILE), sha256=sha256, version=sha256[:12], size=made.stat().st_size)
        where = str(source.folder or source.base or source.mirror)
        card = {"from": where, "files": {file.name: file.sha256 for file in arrived}, "pinned": sorted(new)}
        model = put(replace(known, settings=settings, pulled=card), folder)
        pin(state_models, entry.name, new)
    return model


def _checked(entry: Entry, made: Path) -> dict[str, Any]:
    """What the model's card says of it. Raises ModelError when it is not whole, or another one."""
    if entry.engine != "whisper":
        Network(entry.as_model(path=made, sha256=None, version="", size=made.stat().st_size), 1)  # it loads
        return dict(entry.settings)
    header = check_whole(made)
    if lacking := set(entry.languages) - set(header.languages):
        what = f"This is not {entry.name}: its vocabulary lacks {', '.join(sorted(lacking))}."
        raise ModelError(what, advice="Check the mirror, the address or the folder.")
    return settings_of(header, entry)


def _make(entry: Entry, arrived: Sequence[Arrived], target: Path, display: Display) -> None:
    """Write the file that is installed: as it came, quantised, or converted from what Hugging Face keeps."""
    first = arrived[0]
    is_converted = any(Path(file.name).name == _CONFIG for file in arrived)
    if is_converted:
        display.note("Converting it for whisper.cpp" + (f" and quantising it to {entry.quantise}." if entry.quantise else "."))
        model = converted(first.path.parent)
        write(quantized(model, entry.quantise) if entry.quantise else model, target)
    elif entry.quantise:
        display.note(f"Quantising it to {entry.quantise}.")
        write(quantized(read(first.path), entry.quantise), target)
    elif first.part is None:
        if files.copy(first.path.resolve(), target) != first.sha256:
            raise ModelError("The file changed while it was copied.", file=str(first.path), advice="Pull it again.")
    else:
        files.share(first.path, target)  # what was fetched is only let go when the model is installed
