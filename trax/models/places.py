"""Where the files of a model to be pulled are asked for: at its source, at a mirror of Hugging Face, or at another address. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from types import MappingProxyType

from trax.errors import ModelError
from trax.models.catalogue import Entry

#: What a mirror takes the place of.
HUB = "https://huggingface.co"
_ADDRESS = re.compile(r"https?://[^\s@?#]+")


def is_address(text: str) -> bool:
    """Whether what was given after --from is an address rather than a folder."""
    return "://" in text


def addresses(entry: Entry, *, mirror: str = HUB, base: str | None = None) -> Mapping[str, str]:
    """The address of each file of an entry, by its name.

    `mirror` takes the place of huggingface.co in them; below `base` the files lie side by side, and of a single one it may be the address.
    Raises ModelError when `base` is none.
    """
    if base is None:
        return MappingProxyType({file.name: _at_mirror(entry.address(file), mirror) for file in entry.files})
    if not _ADDRESS.fullmatch(base):
        advice = "Give an http(s) address without a user, a password or a query; a user and password may stand in ~/.netrc."
        raise ModelError(f"{base!r} is no address to pull from.", advice=advice)
    base = base.rstrip("/")
    names = {file.name: PurePosixPath(file.name).name for file in entry.files}
    if len(names) == 1 and base.endswith(f"/{next(iter(names.values()))}"):
        return MappingProxyType({next(iter(names)): base})
    return MappingProxyType({name: f"{base}/{last}" for name, last in names.items()})


def may_see_token(address: str, *, mirror: str = HUB) -> bool:
    """Whether the token for Hugging Face is shown at an address: only there or at its mirror, and never on a way that others can read."""
    return address.startswith((f"{HUB}/", f"{mirror.rstrip('/')}/")) and address.startswith("https://")


def _at_mirror(address: str, mirror: str) -> str:
    return mirror.rstrip("/") + address.removeprefix(HUB) if address.startswith(f"{HUB}/") else address
