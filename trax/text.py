"""Text from outside, safe to show: file names may be any bytes, and what libraries and models say may hold anything. Pure."""

from __future__ import annotations

import unicodedata

#: Zero-width joiner and non-joiner: invisible, but the spelling of Persian, the Indic scripts and many emoji needs them.
JOINERS = frozenset("\u200c\u200d")


def printable(text: str) -> str:
    r"""The text on one line, with all that could move a cursor, turn the writing round or hide as `\n`, `\x1b` or `\u202e`.

    A byte of a file name that is no UTF-8 becomes `\xff`. The backslash stays, so that doing it twice changes nothing.
    """
    if text.isprintable():
        return text
    return "".join(character if is_visible(character) else _escaped(character) for character in text)


def is_visible(character: str) -> bool:
    """Whether a character may be shown as it is."""
    # str.isprintable also says no to what is private or not assigned yet: no terminal is known to leave those alone
    return character.isprintable() or character in JOINERS or unicodedata.category(character) == "Zs"


def _escaped(character: str) -> str:
    if "\udc80" <= character <= "\udcff":
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode()
