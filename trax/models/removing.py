"""Removing a model that was added: it is whole or gone, whatever happens meanwhile."""

from __future__ import annotations

from pathlib import Path

from trax import files
from trax.disk import told
from trax.errors import ModelError
from trax.models.catalogue import catalogue
from trax.models.installing import room_for_one


def remove(name: str, state_models: Path) -> Path:
    """Remove the added model `name`, a damaged one too, and return where it lay.

    A worker that has it loaded keeps what it loaded until it lets go of it; the room on the disk is free then.

    Raises:
        ModelError: there is no such model, or it is built in, or another one is being added or removed.
        StorageError: the folder cannot be read or written.
    """
    folder = state_models / name
    with told("look into", state_models):
        if folder.parent != state_models or name.startswith(".") or folder.is_symlink() or not folder.is_dir():
            raise _not_there(name, state_models)
    with room_for_one(state_models) as doomed:
        files.rename(folder, doomed / name)
    return folder


def _not_there(name: str, state_models: Path) -> ModelError:
    if catalogue().is_built_in(name):
        return ModelError(f"{name} came with Trax and stays.", advice="Only models that were pulled or added can be removed.")
    there = ", ".join(sorted(path.name for path in state_models.glob("[!.]*") if path.is_dir())) or "none"
    return ModelError(f"There is no model named {name} to remove.", advice=f"Pulled or added: {there}.")
