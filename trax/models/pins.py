"""Hashes learnt at a first pull: of files for which nobody published one. What comes later under the same name must be the same."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

from trax import files
from trax.errors import ModelError

#: Among the models; its name begins with a point, so that it is taken for no model.
FILE = ".pins.json"
_LIMIT = 1 << 20


def pinned(state_models: Path, model: str) -> Mapping[str, str]:
    """The hashes (SHA-256, hex) pinned for a model, by the names of its files. Raises ModelError when they cannot be read."""
    return _read(state_models / FILE).get(model, {})


def pin(state_models: Path, model: str, hashes: Mapping[str, str]) -> None:
    """Remember the hashes of a model's files, beside those that are known. Only under the lock of `trax.models.installing.room_for_one`."""
    path = state_models / FILE
    known = _read(path)
    if hashes:
        known[model] = {**known.get(model, {}), **hashes}
        files.write_bytes(path, (json.dumps(known, indent=2, sort_keys=True) + "\n").encode())
        files.hand_over(state_models, like=state_models.parent)


def _read(path: Path) -> dict[str, dict[str, str]]:
    try:
        with path.open("rb") as handle:
            known = json.loads(handle.read(_LIMIT))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ModelError(f"The pinned hashes cannot be read: {error.strerror}.", file=str(path), advice="Check its permissions.") from error
    except (ValueError, RecursionError):
        known = None
    if not isinstance(known, dict) or not all(_are_hashes(hashes) for hashes in known.values()):
        advice = "Restore it from a backup; or remove it, and the next pulls pin what comes."
        raise ModelError("The file of pinned hashes is damaged.", file=str(path), advice=advice)
    return known


def _are_hashes(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(text, str) and re.fullmatch(r"[0-9a-f]{64}", text) for text in value.values())
