"""Giving a model its place under `state/models/`: the folder of its name, with the file and its card. Never half a model."""

from __future__ import annotations

import contextlib
import json
import secrets
from collections.abc import Iterator
from pathlib import Path

from trax import files
from trax.errors import ModelError
from trax.models.catalogue import catalogue
from trax.models.model import Model
from trax.models.store import CARD, read_card

#: What the file of an installed model is called in its folder.
FILE = "model.bin"
_ADDING = ".adding-"


@contextlib.contextmanager
def room_for_one(state_models: Path) -> Iterator[Path]:
    """A new folder for `FILE`, which `put` makes a model; one that is not put is gone after the block.

    Raises ModelError when another process is putting a model there, StorageError when the folder cannot be written.
    """
    files.make_folder(state_models)
    with files.locked(state_models / ".lock") as ours:
        if not ours:
            what = "Another model is being added or removed at this moment."
            raise ModelError(what, file=str(state_models), advice="Try again when it is done.")
        files.hand_over(state_models, like=state_models.parent)  # an administrator adds, the daemon's user has to read
        files.remove_temporaries(state_models)
        for leftover in state_models.glob(f"{_ADDING}*"):
            files.remove_tree(leftover)
        folder = state_models / f"{_ADDING}{secrets.token_hex(4)}"
        files.make_folder(folder)
        try:
            yield folder
        finally:
            files.remove_tree(folder)


def put(model: Model, folder: Path) -> Model:
    """Write the card beside the file and give the folder the model's name: from then on it is installed. The same again changes nothing.

    Raises ModelError when the name is taken, by a built-in model or another one.
    """
    if catalogue().is_built_in(model.name):
        raise ModelError(f"{model.name} is the name of a built-in model.", advice="Choose another with --name.")
    target = folder.parent / model.name
    if target.exists():
        there = read_card(target)
        if there.sha256 == model.sha256 and _same_card(there, model):
            return there
        raise ModelError(
            f"There is another model named {model.name} already.",
            file=str(target),
            advice=f"Give this one another name with --name, or remove that one first: trax-ctl models remove {model.name}",
        )
    files.write_bytes(folder / CARD, (json.dumps(model.to_plain(), indent=2, ensure_ascii=False) + "\n").encode())
    files.hand_over(folder, like=target.parent)
    files.rename(folder, target)
    return read_card(target)


def _same_card(there: Model, model: Model) -> bool:
    """Whether they are the same wherever they lie and came from."""
    anywhere: dict[str, object] = {"path": None, "pulled": {}}
    return there.to_plain() | anywhere == model.to_plain() | anywhere
