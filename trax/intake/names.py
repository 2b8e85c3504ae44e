"""File names, which may be any bytes: which are not recordings, what a result is called, how a name is shown. Pure.

Names are text as Python's `os` gives it: undecodable bytes are surrogates. Paths inside the inbox and the outbox use `/`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import PurePosixPath

from trax import text
from trax.jobs.outputs import ENDINGS
from trax.text import is_visible

#: Of a stem or subfolder in the outbox, in bytes: with ` (99).error.json` behind it a name still fits the 255 of Linux file systems.
LONGEST_NAME = 200
_LONGEST_PATH = 1024

_UNFINISHED = (
    *(".part", ".partial", ".filepart", ".tmp", ".temp", ".crdownload", ".download", ".opdownload", ".aria2", ".!ut"),
    *(".swp", ".swx", ".trax", "~"),
)
_NOT_RECORDINGS = frozenset(
    {"@eadir", "#recycle", "$recycle.bin", "system volume information", "lost+found", "thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"}
)


def is_ignored(name: str) -> bool:
    """Whether a file or folder of that name (one part of a path) is not there to be transcribed.

    Dotfiles (rsync's `.name.XXXXXX`, `.syncthing.*`, `.stfolder`), copies that are not done yet, and what systems leave in shared folders.
    """
    lowered = name.lower()
    return name.startswith((".", "~")) or lowered.endswith(_UNFINISHED) or lowered in _NOT_RECORDINGS


def extension_of(name: str) -> str:
    """The extension as the settings write it: lower case, with its dot; empty when there is none."""
    return PurePosixPath(name).suffix.lower()


def output_name(relative: str) -> str:
    """What the results of the recording at `relative` (a path in the inbox) are called: its stem in its subfolder, made safe.

    Control, bidirectional and other invisible characters and undecodable bytes become `%XX` of their bytes; dots and dashes in front become
    `_`; what is too long is cut. Different recordings may get the same name: see `unique`.
    """
    path = PurePosixPath(relative)
    parts = [*(_safe_folder(part) for part in path.parent.parts), _safe_stem(path.stem)]
    while len("/".join(parts).encode()) > _LONGEST_PATH:
        del parts[0]
    return "/".join(parts)


def unique(wanted: str, is_taken: Callable[[str], bool]) -> str:
    """`wanted`, or the first of `wanted (2)`, `wanted (3)`, … that is not taken."""
    name, number = wanted, 1
    while is_taken(name):
        number += 1
        name = f"{wanted} ({number})"
    return name


def printable(name: str) -> str:
    """A name as `trax.text.printable` shows text, its backslashes escaped too: no two names look alike."""
    return text.printable(name.replace("\\", r"\\"))


def _safe_stem(stem: str) -> str:
    safe = _safe(stem)
    # A recording `talk.error.mp3` must not write its result where the error of `talk.mp3` belongs.
    return f"{safe[: -len('.error')]}_error" if safe.lower().endswith(".error") else safe


def _safe_folder(part: str) -> str:
    safe = _safe(part)
    # A folder `talk.json` must not lie where the result of `talk.mp3` belongs.
    stem, _, ending = safe.rpartition(".")
    return f"{stem}_{ending}" if safe.lower().endswith(ENDINGS) else safe


def _safe(part: str) -> str:
    visible = "".join(character if is_visible(character) else _as_percent(character) for character in part).replace("/", "_").strip()
    tame = re.sub(r"^[.-]+", lambda found: "_" * len(found[0]), visible)
    return tame.encode()[:LONGEST_NAME].decode(errors="ignore").rstrip() or "unnamed"


def _as_percent(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in _bytes_of(character))


def _bytes_of(character: str) -> bytes:
    try:
        return character.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return character.encode("utf-8", "surrogatepass")
