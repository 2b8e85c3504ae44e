"""The figures of docs/reliability.md: a table between two marks, each row written by the run that measured it."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from pathlib import Path

from attacks import Findings, Size
from machine import this_machine

BEGIN, END = "<!-- figures -->", "<!-- end of the figures -->"
_HEAD = "| attack | what was tried | violations | took | command, day and machine |\n| --- | --- | --- | --- | --- |"
_ROW = re.compile(r"\| `(\w+)` \| .* \|")


def row(name: str, findings: Findings, seconds: float, size: Size) -> str:
    """One attack's row in Markdown: what was tried and seen, and by which command, when and where."""
    asked = f"make reliability ONLY={name} " + ("QUICK=1 " if size.quick else "") + f"SEED={size.seed}"
    if name == "kills":
        asked += f" KILLS={size.kills} FILES={size.files}"
    tried = " ".join((findings.tried, *findings.figures)).replace("|", "/")
    origin = f"`{asked}`, {time.strftime('%Y-%m-%d')}, {this_machine()}"
    return f"| `{name}` | {tried} | {len(findings.violations)} | {seconds:.0f} s | {origin} |"


def table(rows: Mapping[str, str], order: tuple[str, ...]) -> str:
    """The table with these rows, in the order of the attacks."""
    return "\n".join([_HEAD, *(rows[name] for name in order if name in rows)])


def write_figures(page: Path, found: Mapping[str, Findings], seconds: Mapping[str, float], size: Size, order: tuple[str, ...]) -> None:
    """Put the rows of this run between the marks of the page; those of other attacks stay. Raises ValueError when it has no marks."""
    before, begin, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    former, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page} lacks {BEGIN} and {END}")
    rows = {match[1]: match[0] for match in _ROW.finditer(former)}
    rows |= {name: row(name, findings, seconds[name], size) for name, findings in found.items()}
    page.write_text(f"{before}{BEGIN}\n{table(rows, order)}\n{END}{after}", encoding="utf-8")
