"""A model that the settings name, found among those installed. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

from trax.errors import ModelError
from trax.models.model import Kind, Model

#: What models of each kind are for, in words.
KINDS: Mapping[Kind, str] = {
    "asr": "speech recognition",
    "embedding": "telling speakers apart",
    "segmentation": "hearing several speakers at once",
    "vad": "voice activity",
}


def named(name: str, kind: Kind, setting: str, installed: Sequence[Model]) -> Model:
    """The installed model of that name and kind; `setting` is the key that names it. Raises ModelError, with the nearest name there is."""
    of_kind = {model.name: model for model in installed if model.kind == kind}
    if name in of_kind:
        return of_kind[name]
    near = difflib.get_close_matches(name, of_kind, n=1)
    meant = f" Did you mean {near[0]}?" if near else ""
    there = ", ".join(sorted(of_kind)) or "none"
    raise ModelError(
        f"{setting} names {name}, but no model of that name for {KINDS[kind]} is installed.{meant}",
        advice=f"Installed: {there}. `trax-ctl models pull` or `trax-ctl models add` brings another; or set {setting} to auto.",
    )
