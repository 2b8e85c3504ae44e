"""Whisper's tokens to words. Pure.

A token is a piece of UTF-8, not always whole characters: bytes are joined before they are decoded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from trax.transcript import UNSPACED_LANGUAGES, Word

_SHORTEST_WORD = 0.02  # seconds; Whisper may give a word no length at all
_LONGEST_ASIDE = 6  # words
_HAS_LETTER = re.compile(r"[^\W_]")
_CLOSING = {"[": "]", "(": ")", "*": "*", "♪": "♪"}


@dataclass(frozen=True, slots=True)
class Token:
    """One text token: its bytes, its times in seconds, and its probability."""

    data: bytes
    start: float
    end: float
    probability: float


def words_of(tokens: Iterable[Token], language: str) -> tuple[Word, ...]:
    """The words of a segment; times are as the tokens'. Captions of what is no speech ("[BLANK_AUDIO]", "(music)", "♪") are left out.

    A word takes its end and its score (the mean probability of its tokens) from the tokens that have letters or digits: Whisper is
    often unsure of a comma, and hears a full stop long after the word.
    """
    return tuple(_without_asides([word for group in _groups(tokens, language) if (word := _word(group)) is not None]))


def _groups(tokens: Iterable[Token], language: str) -> Iterator[list[Token]]:
    group: list[Token] = []
    for token in tokens:
        begins = _is_whole(group) if language in UNSPACED_LANGUAGES else token.data.startswith(b" ")
        if group and begins and not (language in UNSPACED_LANGUAGES and _is_punctuation(token)):
            yield group
            group = []
        group.append(token)
    if group:
        yield group


def _is_whole(group: Sequence[Token]) -> bool:
    try:
        b"".join(token.data for token in group).decode()
    except UnicodeDecodeError:
        return False
    return True


def _is_punctuation(token: Token) -> bool:
    try:
        return not _HAS_LETTER.search(token.data.decode())
    except UnicodeDecodeError:
        return False


def _word(group: Sequence[Token]) -> Word | None:
    text = b"".join(token.data for token in group).decode(errors="replace").strip()
    if not text:
        return None
    spoken = [token for token in group if not _is_punctuation(token)] or list(group)
    start = spoken[0].start
    end = max(start + _SHORTEST_WORD, spoken[-1].end)
    return Word(text, start, end, min(1.0, max(0.0, sum(token.probability for token in spoken) / len(spoken))))


def _without_asides(words: Sequence[Word]) -> Iterator[Word]:
    index = 0
    while index < len(words):
        after = _end_of_aside(words[index : index + _LONGEST_ASIDE])
        if not after and _HAS_LETTER.search(words[index].text):
            yield words[index]
        index += after or 1


def _end_of_aside(words: Sequence[Word]) -> int:
    """How many of `words` are one caption in brackets, stars or notes; 0 when they do not begin with one."""
    closing = _CLOSING.get(words[0].text[0])
    for index, word in enumerate(words):
        text = word.text.rstrip(".,!?")
        if closing is not None and text.endswith(closing) and (index or len(text) > 1):
            return index + 1
    return 0
