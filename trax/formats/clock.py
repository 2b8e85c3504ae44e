"""Times and names as the formats write them."""

from __future__ import annotations

import re


def timestamp(seconds: float, decimal: str) -> str:
    """`HH:MM:SS` and milliseconds after the decimal mark: a comma in SRT, a point in WebVTT."""
    whole, milliseconds = divmod(round(seconds * 1000), 1000)
    return f"{clock(whole)}{decimal}{milliseconds:03d}"


def clock(seconds: float) -> str:
    """`HH:MM:SS`, the part of a second cut off."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours:02d}:{minute:02d}:{second:02d}"


def field(text: str, otherwise: str) -> str:
    """The text as one field of the NIST formats, which separate fields by white space and know no quoting."""
    return re.sub(r"[^\w.\-]+", "_", text).strip("_") or otherwise


def file_id(name: str) -> str:
    """The recording's name without its extension, as one field."""
    stem, dot, _ = name.rpartition(".")
    return field(stem if dot and stem else name, "recording")
