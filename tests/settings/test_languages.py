"""Which language a recording is taken for, by the folder it is dropped into."""

from __future__ import annotations

import unicodedata

import pytest

from trax.config import Intake
from trax.languages import LANGUAGES, checked_folders, checked_language, language_below

FOLDERS = ("german=de", "interviews/france=fr", "interviews=auto", "a=b=en", "Entrevistas España=es")


@pytest.mark.parametrize("text", [*LANGUAGES, "auto"])
def test_what_whisper_knows_is_a_language(text: str) -> None:
    assert checked_language(text) == text


@pytest.mark.parametrize("text", ["", "german", "DE", "xx", "de ", "\0"])
def test_nothing_else_is(text: str) -> None:
    with pytest.raises(ValueError, match="must be a language code"):
        checked_language(text)


@pytest.mark.parametrize(
    ("name", "language"),
    [
        ("talk.mp3", None),
        ("german.mp3", None),
        ("germany/talk.mp3", None),
        ("german/talk.mp3", "de"),
        ("german/2026/june/talk.mp3", "de"),
        ("GERMAN/talk.mp3", "de"),
        ("news/german/talk.mp3", None),
        ("interviews/talk.mp3", "auto"),
        ("interviews/france/talk.mp3", "fr"),
        ("a=b/talk.mp3", "en"),
        (unicodedata.normalize("NFD", "entrevistas españa/talk.mp3"), "es"),
        ("\udcff/talk.mp3", None),
    ],
)
def test_the_innermost_folder_that_is_listed_decides(name: str, language: str | None) -> None:
    assert language_below(name, FOLDERS) == language


@pytest.mark.parametrize(
    "entry",
    ["de", "=de", "german=", "german=german", "/german=de", "german/=de", "../x=de", "a/../b=de", ".hidden=de", "a//b=de", "a\0b=de"],
)
def test_an_entry_that_can_never_hold_is_refused(entry: str) -> None:
    with pytest.raises(ValueError, match="has "):
        Intake(language_folders=(entry,))


def test_a_folder_has_one_language() -> None:
    with pytest.raises(ValueError, match="for one folder"):
        checked_folders(("german=de", "German=en"))
