"""The types of settings: what a text, a number or a list may be, and in what words one that is not is refused."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field


def matching(pattern: str, words: str) -> AfterValidator:
    """For text that must match `pattern`; `words` say what is expected."""

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(words)
        return text

    return AfterValidator(check)


def no_repeats(entries: tuple[str, ...]) -> tuple[str, ...]:
    """The entries, once none of them comes twice; raises ValueError where one does."""
    repeated = [entry for entry, times in Counter(entries).items() if times > 1]
    if repeated:
        raise ValueError(f"lists {', '.join(repeated)} more than once")
    return entries


def _has_a_home(path: str) -> str:
    try:
        Path(path).expanduser()
    except RuntimeError:
        raise ValueError(f"begins with {path.partition('/')[0]}, but there is no such home folder") from None
    return path


Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Seconds = Annotated[float, Field(gt=0.0)]
Count = Annotated[int, Field(ge=1)]
Name = Annotated[str, matching(r"\S(.*\S)?", "must not be empty")]
Folder = Annotated[str, matching(r"[^\0]*[^\0\s][^\0]*", "must be the path of a folder"), AfterValidator(_has_a_home)]
Address = Annotated[str, matching(r"https?://[^\s@?#]+", "must be an http(s) address without a user, a password or a query")]
