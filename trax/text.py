"""Text for people. Pure.

What comes from outside is made safe to show: file names may be any bytes, and what libraries, models and servers say may hold anything.
"""

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


def size(count: float) -> str:
    """Bytes in decimal units, as disks are sold: `512 B`, `3.4 MB`, `12.0 GB`."""
    for unit in ("B", "kB", "MB"):
        if abs(count) < 1000:  # noqa: PLR2004 - what decimal units are made of
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"
