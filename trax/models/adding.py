"""Adding a model file: recognised, named, copied or quantised, its hash kept. Never a half model under `state/models/`."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from trax import files
from trax.errors import DiskFull, ModelError
from trax.models.catalogue import Entry, catalogue, settings_of
from trax.models.ggml.check import check_whole
from trax.models.ggml.file import read, write
from trax.models.ggml.header import WhisperHeader
from trax.models.ggml.quantize import quantized
from trax.models.installing import FILE, put, room_for_one
from trax.models.model import OPEN, Model

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
#: Seconds: whisper.cpp ignores what is hardly longer than one, and Whisper never hears more than thirty at once.
_WINDOWS = (2.0, 30.0)


def add(
    file: Path,
    state_models: Path,
    *,
    name: str | None = None,
    scope: str | None = None,
    languages: Sequence[str] | None = None,
    licence: str | None = None,
    source: str | None = None,
    window_seconds: float | None = None,
) -> Model:
    """Copy a Whisper ggml file under `state_models` and return it as installed. Adding the same file again changes nothing.

    A file that the catalogue knows brings its name, scope, languages, licence and source along, and under that name becomes what `pull`
    makes of it: where the catalogue says so, it is quantised. Under another name it stays as it is. Of any other file the scope is "open"
    and the languages are those of its vocabulary, unless told otherwise. `window_seconds` is for a model trained on windows shorter than
    thirty.

    Raises:
        ModelError: the file is not a whole Whisper ggml model, or not the one it is named like; or the name is taken or not allowed; or
            the window is not one that Whisper can hear.
        StorageError: the folder cannot be written (DiskFull: for lack of room).
    """
    check_whole(file)
    window = _window(window_seconds)
    with _room_to_be_made(), room_for_one(state_models) as folder:
        header, sha256 = _copied(file, folder / FILE)
        # a file that was given a name of its own need not be the catalogue's, whatever it is called
        known = catalogue().identify(file.name if name is None else "", sha256)
        called = valid("name", name or (known.name if known else slug(file.stem)))
        pulled: dict[str, Any] = {}
        if known and called == known.name:
            pulled = {"from": str(file.absolute().parent), "files": {known.files[0].name: sha256}, "pinned": []}
            if known.quantise:
                header, sha256 = _quantised(folder / FILE, known.quantise)
        model = Model(
            name=called,
            kind="asr",
            engine="whisper",
            path=FILE,
            sha256=sha256,
            version=sha256[:12],
            scope=valid("scope", scope or (known.scope if known else OPEN)),
            languages=_spoken(header, languages, known),
            licence=licence or (known.licence if known else "unknown"),
            source=source or (known.source if known else "added by hand"),
            size=(folder / FILE).stat().st_size,
            settings={**settings_of(header, known), **window},
            pulled=pulled,
        )
        return put(model, folder)


@contextlib.contextmanager
def _room_to_be_made() -> Iterator[None]:
    """A full disk is told with what to do: nothing goes on by itself here, as it does in the daemon."""
    try:
        yield
    except DiskFull as error:
        raise DiskFull(error.what, file=error.file, advice="Make room on the disk and add it again.") from error


def _copied(file: Path, copy: Path) -> tuple[WhisperHeader, str]:
    sha256 = files.copy(file.resolve(), copy)
    try:
        return check_whole(copy), sha256
    except ModelError as error:  # it was whole a moment ago
        advice = "Add it once its download is complete."
        raise ModelError("The file changed while it was copied.", file=str(file), advice=advice) from error


def _quantised(file: Path, kind: str) -> tuple[WhisperHeader, str]:
    """Put the file's quantised form in its place."""
    small = file.with_suffix(f".{kind}")
    write(quantized(read(file), kind), small)
    files.rename(small, file)
    return check_whole(file), files.sha256_of(file)


def _spoken(header: WhisperHeader, wanted: Sequence[str] | None, known: Entry | None) -> tuple[str, ...]:
    languages = tuple(wanted) if wanted else (known.languages if known else header.languages)
    lacking = [language for language in languages if language not in header.languages]
    if lacking:
        has = "only English" if len(header.languages) == 1 else f"{len(header.languages)} languages, by their codes, such as en, de or fr"
        raise ModelError(f"The model's vocabulary lacks {', '.join(lacking)}: it has {has}.", advice="Name languages that the model has.")
    return languages


def _window(seconds: float | None) -> dict[str, float]:
    if seconds is None:
        return {}
    shortest, longest = _WINDOWS
    if not shortest <= seconds <= longest:
        raise ModelError(f"A window cannot be {seconds:g} seconds long.", advice=f"Take between {shortest:g} and {longest:g} seconds.")
    return {"window_seconds": seconds}


def slug(stem: str) -> str:
    """A name for a model made of a file's."""
    return re.sub(r"[^a-z0-9._-]+", "-", stem.lower()).removeprefix("ggml-").strip("-._") or "model"


def valid(what: str, text: str) -> str:
    """The text, if it can be the name or scope of a model. Raises ModelError."""
    if not _NAME.fullmatch(text):
        advice = "Take small letters, digits, points, hyphens and underscores, a letter or digit first."
        raise ModelError(f"{text!r} cannot be the {what} of a model.", advice=advice)
    return text
