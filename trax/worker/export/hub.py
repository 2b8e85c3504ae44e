"""A checkpoint from Hugging Face, or a mirror of it: fetched as `trax-ctl models pull` fetches, kept until it is exported."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from trax import files
from trax.errors import ModelError
from trax.models.download import Display, Sleep, Wanted, client, fetch
from trax.models.gathering import room_for_downloads
from trax.models.part import Part
from trax.models.places import HUB, may_see_token

#: What pyannote calls the file of a model.
FILE: Final = "pytorch_model.bin"
_ID: Final = re.compile(r"(?P<owner>\w[\w.-]*)/(?P<name>\w[\w.-]*)(?:@(?P<revision>\w[\w.-]*))?")


def is_hub_id(text: str) -> bool:
    """Whether what was given is OWNER/NAME or OWNER/NAME@REVISION, and no file here."""
    return bool(_ID.fullmatch(text)) and not Path(text).exists()


def address(hub_id: str, mirror: str = HUB) -> str:
    """Where the checkpoint of a model lies. Raises ModelError when it is no id."""
    told = _ID.fullmatch(hub_id)
    if told is None:
        raise ModelError(f"{hub_id!r} is neither a file nor OWNER/NAME of a model on Hugging Face.", advice="Correct it.")
    return f"{mirror.rstrip('/')}/{told['owner']}/{told['name']}/resolve/{told['revision'] or 'main'}/{FILE}"


@contextlib.contextmanager
def fetched(
    hub_id: str, state_models: Path, display: Display, *, mirror: str = HUB, token: str | None = None, sleep: Sleep = time.sleep
) -> Iterator[Path]:
    """The checkpoint of a model on the hub, for the block. When the block ends well it goes; else it stays, for another try to go on with.

    Raises:
        ModelError: the hub has no such file, or not for us: some want their conditions accepted on their page, and a token.
        ModelUnreachable: the hub does not answer, again and again.
        StorageError: the disk refuses.
    """
    place = address(hub_id, mirror)
    with room_for_downloads(state_models, re.sub(r"[^\w.-]", "_", hub_id)) as folder:
        part = Part(folder / FILE)
        with client() as http:
            fetch(Wanted(place, token=token if may_see_token(place, mirror=mirror) else None), part, http, display, sleep)
        yield part.path
        files.remove_tree(folder)
