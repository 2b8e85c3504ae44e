"""The installed models: those inside wheels, those made at set-up, and those added under `state/models/`.

An added model is a folder of its name with two files: the model, and `card.json`, which describes it and pins its SHA-256. The folder gets
its name only once both are whole, so what has a card is complete; anything else is reported and never used.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from trax import files
from trax.errors import ModelError, TraxError
from trax.models.catalogue import catalogue
from trax.models.ggml.check import check_whole
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
        if isinstance(found, Model):
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
            _check(model)
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


_ADD_AGAIN = "Remove the folder and add the model again with `trax-ctl models add FILE`."


def _built_in(state_models: Path) -> Iterator[tuple[str, Model | TraxError]]:
    for entry in catalogue().models:
        if entry.origin == "wheel":
            try:
                yield entry.name, find_in_wheel(entry)
            except ModelError as error:
                yield entry.name, error
        elif entry.origin == "setup":
            # a checkout and a wheel that was built after set-up have it among what they ship; else set-up put it into the state folder
            (file,) = entry.files
            made = [folder / file.name for folder in (shipped("models"), state_models) if (folder / file.name).is_file()]
            if made:
                path = made[0].absolute()
                yield entry.name, entry.as_model(path=path, sha256=file.sha256, version=entry.version, size=path.stat().st_size)


def _added(state_models: Path) -> Iterator[tuple[str, Model | TraxError]]:
    try:
        children = sorted(state_models.iterdir())
    except FileNotFoundError:
        return
    except OSError as error:
        yield "*", ModelError(f"The folder of models cannot be read: {error.strerror}.", file=str(state_models))
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


def _check(model: Model) -> None:
    if model.path is None:
        check_wheel(catalogue()[model.name])
    elif model.sha256 is None:
        raise ModelError("No hash of this model is known, so it cannot be verified.", file=model.path)
    elif files.sha256_of(Path(model.path)) != model.sha256:
        raise ModelError("The file has changed: its SHA-256 is not the one on its card.", file=model.path, advice=_ADD_AGAIN)
    elif model.engine == "whisper":
        check_whole(Path(model.path))


def _finding(name: str, error: TraxError) -> Finding:
    return Finding(name, error.what, error.advice, error.file)
