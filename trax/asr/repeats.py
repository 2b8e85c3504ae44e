"""Runs of words that come several times in a row. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_LONGEST_RUN = 30  # words


@dataclass(frozen=True, slots=True)
class Repeat:
    """From the word at `first` (an index), a run of `length` words comes `times` times in a row; times >= 2."""

    first: int
    length: int
    times: int

    @property
    def words(self) -> range:
        """The indices of all its words."""
        return range(self.first, self.first + self.length * self.times)


def repeats(texts: Sequence[str]) -> Iterator[Repeat]:
    """Every stretch of words that repeats, whole runs only, shorter runs first; case and punctuation make no difference.

    "no no no no" is one word four times, and not also two words twice.
    """
    plain = [bare(text) for text in texts]
    for length in range(1, min(_LONGEST_RUN, len(plain) // 2) + 1):
        same = 0  # how many words before and with this one are as `length` words earlier
        for index in range(length, len(plain) + 1):
            if index < len(plain) and plain[index] == plain[index - length]:
                same += 1
                continue
            first, times = index - same - length, same // length + 1
            if times > 1 and not _is_itself_a_repeat(plain[first : first + length]):
                yield Repeat(first, length, times)
            same = 0


def _is_itself_a_repeat(run: Sequence[str]) -> bool:
    return any(len(run) % length == 0 and run[length:] == run[:-length] for length in range(1, len(run) // 2 + 1))


def bare(text: str) -> str:
    """A text in lower case, letters, digits and single spaces alone; for a text without any of them, the text itself."""
    kept = "".join(sign if sign.isalnum() else "" if sign in "'\u2019" else " " for sign in text.casefold())
    return " ".join(kept.split()) or text
