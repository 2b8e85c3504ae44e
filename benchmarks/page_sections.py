"""Pages of which a run writes one section, between two marks: what stands around it is written by hand, or by other runs."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from speech_data import is_quick


def with_section(page: str, name: str, text: str) -> str:
    """The page with this text between `<!-- NAME -->` and `<!-- end of NAME -->`. Raises ValueError when it lacks them."""
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    before, found, rest = page.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"the page lacks {begin} and {end}")
    return f"{before}{begin}\n{text.strip()}\n{end}{after}"


def write_section(page: Path, name: str, text: str) -> None:
    """Put the text into the file. Raises ValueError as `with_section` does."""
    page.write_text(with_section(page.read_text(encoding="utf-8"), name, text), encoding="utf-8")


def command_of_this_run() -> str:
    """The command of the repository that this run is part of."""
    return ("QUICK=1 " if is_quick() else "") + "make accuracy"


def today() -> str:
    """The date in UTC, as 2026-01-02."""
    return datetime.now(UTC).date().isoformat()
