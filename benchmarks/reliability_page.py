"""The figures of docs/reliability.md: a table between two marks, written by the run that measured them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from attacks import Findings, Size
from machine import this_machine

BEGIN, END = "<!-- figures -->", "<!-- end of the figures -->"


def figures(found: Mapping[str, Findings], seconds: Mapping[str, float], size: Size) -> str:
    """The table in Markdown: attack, what was tried, violations, figures; with the command and the machine."""
    asked = f"KILLS={size.kills} FILES={size.files} SEED={size.seed}" + (" QUICK=1" if size.quick else "")
    rows = [
        f"| `{name}` | {' '.join((each.tried, *each.figures))} | {len(each.violations)} | {seconds[name]:.0f} s |"
        for name, each in found.items()
    ]
    return "\n".join(
        [
            f"Measured with `make reliability {asked}` on {time.strftime('%Y-%m-%d')}, {this_machine()}.",
            "",
            "| attack | what was tried | violations | took |",
            "| --- | --- | --- | --- |",
            *rows,
        ]
    )


def write_figures(page: Path, found: Mapping[str, Findings], seconds: Mapping[str, float], size: Size) -> None:
    """Replace what lies between the marks of the page. Raises ValueError when it has no marks."""
    before, begin, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page} lacks {BEGIN} and {END}")
    page.write_text(f"{before}{BEGIN}\n{figures(found, seconds, size)}\n{END}{after}", encoding="utf-8")
