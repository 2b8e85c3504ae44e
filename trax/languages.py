"""The languages there are to ask for, by their codes."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from pathlib import PurePosixPath

#: The languages of Whisper (ISO 639 codes, but for its "jw") in the order of their tokens; models with the older vocabulary lack the last.
LANGUAGES: tuple[str, ...] = (
    *("en", "zh", "de", "es", "ru", "ko", "fr", "ja", "pt", "tr", "pl", "ca", "nl", "ar", "sv", "it", "id", "hi", "fi", "vi"),
    *("he", "uk", "el", "ms", "cs", "ro", "da", "hu", "ta", "no", "th", "ur", "hr", "bg", "lt", "la", "mi", "ml", "cy", "sk"),
    *("te", "fa", "lv", "bn", "sr", "az", "sl", "kn", "et", "mk", "br", "eu", "is", "hy", "ne", "mn", "bs", "kk", "sq", "sw"),
    *("gl", "mr", "pa", "si", "km", "sn", "yo", "so", "af", "oc", "ka", "be", "tg", "sd", "gu", "am", "yi", "lo", "uz", "fo"),
    *("ht", "ps", "tk", "nn", "mt", "sa", "lb", "my", "bo", "tl", "mg", "as", "tt", "haw", "ln", "ha", "ba", "jw", "su", "yue"),
)

#: A path below a folder, in parts that are not hidden: Trax looks into no others.
_BELOW = re.compile(r"[^/\0.][^/\0]*(/[^/\0.][^/\0]*)*")

#: In place of a language: the model finds out which is spoken.
AUTO = "auto"


def checked_language(text: str) -> str:
    """`text` itself, a known language's code or "auto". Raises ValueError in words otherwise."""
    if text != AUTO and text not in LANGUAGES:
        raise ValueError("must be a language code such as en or de, or auto")
    return text


def checked_folders(entries: tuple[str, ...]) -> tuple[str, ...]:
    """`entries` themselves, each a folder below the inbox and its language: "interviews/france=fr". Raises ValueError in words."""
    seen = dict[PurePosixPath, str]()
    for entry in entries:
        written, _, language = entry.rpartition("=")
        if not _BELOW.fullmatch(written):
            raise ValueError(f"has {entry!r}; each must be a folder of the inbox and its language, such as german=de")
        try:
            checked_language(language)
        except ValueError as error:
            raise ValueError(f"has {entry!r}: what is after the = {error}") from None
        if (folder := _alike(written)) in seen:
            raise ValueError(f"has {seen[folder]!r} and {entry!r} for one folder")
        seen[folder] = entry
    return entries


def language_below(name: str, entries: Iterable[str]) -> str | None:
    """The language for the recording `name` (a path relative to the inbox), by the innermost of these folders it lies in.

    A folder is the same however its letters' case and accents are coded: what one sees on another system's share must hold.
    """
    languages = {_alike(folder): language for folder, _, language in (entry.rpartition("=") for entry in entries)}
    return next((languages[folder] for folder in _alike(name).parents if folder in languages), None)


def _alike(path: str) -> PurePosixPath:
    return PurePosixPath(unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold()))
