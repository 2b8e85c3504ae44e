"""Whom the training of the speaker embedding never hears. Pure: benchmarks import it, and measure on these people alone.

Left out are 60 of the 251 people of `speakers/`, among them number 19, who reads the long recordings of the benchmarks; and all of
`librispeech/`, `ami/` and `librispeechmix/`, where nobody else of `speakers/` is heard.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

_EVERY: Final = 4


def is_left_out(speaker: str) -> bool:
    """Whether a speaker of `speakers/`, by number, is left out: where the first byte of the number's SHA-256 is a multiple of four."""
    return hashlib.sha256(speaker.encode()).digest()[0] % _EVERY == 0


def speakers(data: Path, *, left_out: bool) -> dict[str, Path]:
    """The utterances of the people of `speakers/` who are left out, or of the others, by speaker, in the order of their names.

    `data` is the folder of recorded speech.
    """
    paths = sorted((data / "speakers").glob("*.flac"))
    return {speaker: path for path in paths if is_left_out(speaker := path.name.partition("-")[0]) == left_out}
