"""The installed models: those inside wheels, those shipped with Trax, those made at set-up, and those added under `state/models/`.

An added model is a folder of its name with two files: the model, and `card.json`, which describes it and pins its SHA-256. The folder gets
its name only once both are whole, so what has a card is complete; anything else is reported and never used.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from trax import files
from trax.errors import ModelError, TraxError
from trax.models.catalogue import Entry, catalogue, settings_of
from trax.models.ggml.check import check_whole
from trax.models.ggml.header import HEADER_SIZE, parse_header
from trax.models.model import Model
from trax.models.wheels import check_wheel, find_in_wheel
from trax.shipped import shipped

CARD = "card.json"
_CARD_LIMIT = 1 << 20


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong with a model, in words. `file` is the file or folder it is about, if any."""

    model: str
    what: str
    advice: str
    file: str | None = None


@dataclass(frozen=True, slots=True)
class Survey:
    """What is installed, and what lies there that cannot be used."""

    models: tuple[Model, ...]
    findings: tuple[Finding, ...]


def installed(state_models: Path) -> tuple[Model, ...]:
    """Every usable model, built-in ones first. What is damaged is left out; see `survey`."""
    return survey(state_models).models


def survey(state_models: Path) -> Survey:
    """Every usable model, and a finding for each that is damaged or half-written. Hashes are not computed; see `verify`."""
    models: list[Model] = []
    findings: list[Finding] = []
    for name, found in (*_built_in(state_models), *_added(state_models)):
        if isinstance(found, Model) and any(model.name == name for model in models):
            findings.append(_finding(name, _named_twice(found)))
        elif isinstance(found, Model):
            models.append(found)
        else:
            findings.append(_finding(name, found))
    return Survey(tuple(models), tuple(findings))


def verify(state_models: Path) -> tuple[Finding, ...]:
    """Hash every installed model anew, and walk through each Whisper file.

    Returns what is wrong, `survey`'s findings among it; nothing when all is well.
    """
    found = survey(state_models)
    findings = list(found.findings)
    for model in found.models:
        try:
            _check(model, state_models)
        except TraxError as error:
            findings.append(_finding(model.name, error))
        except OSError as error:
            findings.append(Finding(model.name, f"The file cannot be read: {error.strerror}.", "Check its permissions.", model.path))
    return tuple(findings)


def read_card(folder: Path) -> Model:
    """The model in a folder under `state/models/`. Raises ModelError in words when it is damaged or was never completed."""
    card = folder / CARD
    try:
        with card.open("rb") as handle:
            model = Model.from_plain(json.loads(handle.read(_CARD_LIMIT)))
    except FileNotFoundError as error:
        raise ModelError("The folder has no card.json, so it is no complete model.", file=str(folder), advice=_ADD_AGAIN) from error
    except OSError as error:
        raise ModelError(f"The model's card cannot be read: {error.strerror}.", file=str(card), advice=_ADD_AGAIN) from error
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise ModelError(f"The model's card is damaged ({error}).", file=str(card), advice=_ADD_AGAIN) from error
    file = Path(model.path or "")
    if model.name != folder.name or not re.fullmatch(r"[0-9a-f]{64}", model.sha256 or "") or not file.name or str(file) != file.name:
        raise ModelError("The model's card does not fit its folder.", file=str(card), advice=_ADD_AGAIN)
    path = (folder / file).absolute()
    if path.is_symlink() or not path.is_file():
        raise ModelError("The model's file is missing.", file=str(path), advice=_ADD_AGAIN)
    if (size := path.stat().st_size) != model.size:
        what = f"The file has {size} bytes and not the {model.size} it had when it was added."
        raise ModelError(what, file=str(path), advice=_ADD_AGAIN)
    return Model.from_plain({**model.to_plain(), "path": str(path)})


_ADD_AGAIN = "Remove it with `trax-ctl models remove NAME`, then pull or add it again."
_INSTALL_AGAIN = "Install Trax again; what set-up made, `trax-ctl models setup` makes anew."


def _built_in(state_models: Path) -> Iterator[tuple[str, Model | TraxError]]:
    for entry in catalogue().models:
        try:
            if entry.origin == "wheel":
                yield entry.name, find_in_wheel(entry)
            elif entry.origin != "download" and (path := _file_of(entry, state_models)):
                yield entry.name, _of_trax(entry, path)
        except ModelError as error:
            yield entry.name, error


def _file_of(entry: Entry, state_models: Path) -> Path | None:
    """The file of a model that Trax brings or makes, None while it is not there.

    A checkout, and a wheel that was built after set-up, have what set-up makes among what they ship; else it went into the state folder.
    """
    (file,) = entry.files
    folders = (shipped("models"), state_models) if entry.origin == "setup" else (shipped("models"),)
    return next((folder.absolute() / file.name for folder in folders if (folder / file.name).is_file()), None)


def _of_trax(entry: Entry, path: Path) -> Model:
    (file,) = entry.files
    try:
        with path.open("rb") as opened:
            start, size = opened.read(HEADER_SIZE), os.fstat(opened.fileno()).st_size
        model = entry.as_model(path=path, sha256=file.sha256, version=entry.version or (file.sha256 or "")[:12], size=size)
        return replace(model, settings=settings_of(parse_header(start), entry)) if entry.engine == "whisper" else model
    except OSError as error:
        raise ModelError(f"The model cannot be read: {error.strerror}.", file=str(path), advice=_INSTALL_AGAIN) from error
    except ModelError as error:
        raise ModelError(error.what, file=str(path), advice=_INSTALL_AGAIN) from error


def _added(state_models: Path) -> Iterator[tuple[str, Model | TraxError]]:
    try:
        children = sorted(state_models.iterdir())
    except FileNotFoundError:
        return
    except OSError as error:
        advice = "Ask as the user trax or as one of the group trax: what was pulled or added is not shown here."
        yield "state/models", ModelError(f"The folder of models cannot be read: {error.strerror}.", file=str(state_models), advice=advice)
        return
    made_at_setup = {entry.files[0].name for entry in catalogue().models if entry.origin == "setup"}
    for child in children:
        if child.name.startswith(".") or child.name in made_at_setup:
            continue
        if not child.is_dir():
            advice = "Take it out of this folder and add it with `trax-ctl models add FILE`."
            yield child.name, ModelError("A file that lies here by itself is not used.", file=str(child), advice=advice)
            continue
        try:
            yield child.name, read_card(child)
        except ModelError as error:
            yield child.name, error


def _check(model: Model, state_models: Path) -> None:
    if model.path is None:
        check_wheel(catalogue()[model.name])
        return
    again = _ADD_AGAIN if (state_models / model.name).is_dir() else _INSTALL_AGAIN
    if model.sha256 is None:
        raise ModelError("No hash of this model is known, so it cannot be verified.", file=model.path, advice=again)
    if files.sha256_of(Path(model.path)) != model.sha256:
        raise ModelError("The file has changed: its SHA-256 is not the one that is known of it.", file=model.path, advice=again)
    if model.engine == "whisper":
        check_whole(Path(model.path))


def _named_twice(added: Model) -> ModelError:
    """An older Trax let a name be taken that is now of a model it brings along."""
    what = "A model that was added has the name of one that comes with Trax, and is not used."
    return ModelError(what, file=added.path, advice=f"Add its file again with --name, then: trax-ctl models remove {added.name}")


def _finding(name: str, error: TraxError) -> Finding:
    return Finding(name, error.what, error.advice, error.file)
