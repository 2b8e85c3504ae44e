"""What the daemon and the commands say, as rich renderables: pure functions from plain dicts, for any width.

Every text from outside (names, reasons, models) passes `printable` and becomes a `Text`, so that neither control characters nor
markup reach the terminal.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from trax.cli.text import percent, span, speed
from trax.text import printable, size

Plain = Mapping[str, Any]

BAR_WIDTH = 16
#: How many recordings `transcribe` shows at once.
ROWS = 8
STYLES = {"ok": "green", "completed": "green", "warning": "yellow", "problem": "bold red", "failed": "bold red", "cancelled": "yellow"}


def label(text: object, style: str = "") -> Text:
    """Anything as escaped text of one style; None and no text at all are `-`."""
    return Text("-" if text in (None, "") else printable(str(text)), style=style)


def cut(text: object) -> Text:
    """A name: of all cells of a row, the one that is cut where the terminal is narrow."""
    cell = label(text)
    cell.no_wrap, cell.overflow = True, "ellipsis"
    return cell


def lineless(*columns: str, names: tuple[str, ...] = ("name",)) -> Table:
    """A table without lines; the columns `names`, whose cells are `cut`, are the first to give way."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim", show_edge=False)
    for column in columns:
        gives_way = column in names
        # rich takes room from columns that may wrap before all others; the cells themselves then do not wrap
        table.add_column(column, no_wrap=not gives_way, overflow="ellipsis", min_width=8 if gives_way else None)
    return table


def wanting(view: Plain) -> str:
    """What keeps a job from going on."""
    missing = view.get("missing_bytes")
    return f"{view['waits_for']} ({size(missing)} more)" if missing else str(view["waits_for"])


def error_view(error: Plain | None) -> RenderableType:
    """An error as `TraxError.as_dict` gives it: what happened, then what to do."""
    if not error:
        return Text("no reason was kept", style="dim")
    file = f"{error['file']}: " if error.get("file") else ""
    return Group(label(f"{file}{error.get('what')}", "red"), *([label(error["advice"])] if error.get("advice") else []))


def reason(view: Plain) -> RenderableType:
    """Why a job failed."""
    error = view.get("error")
    # the job's name stands beside it already
    return error_view({**error, "file": None} if error and error.get("file") == view.get("name") else error)


def refusal_view(refused: Plain) -> RenderableType:
    """One of the jobs that a retry refused."""
    return Group(label(f"{refused.get('job')}:"), Padding(error_view(refused.get("error")), (0, 0, 0, 2)))


def since(view: Plain, key: str, now: float) -> str:
    """How long ago the time under `key` was."""
    return span(now - view[key]) if view.get(key) is not None else "-"


def job_view(job: Plain, now: float, *, bars: bool) -> RenderableType:
    """All of one job: the reply of `show`."""
    running = job.get("status") == "running"
    attempts = int(job.get("attempts") or 0)
    rows: list[tuple[str, RenderableType]] = [
        ("job", label(job.get("id"))),
        ("name", label(job.get("name"))),
        ("status", label(job.get("status"), STYLES.get(str(job.get("status")), ""))),
        ("stage", label(job.get("stage"))),
        ("progress", _progress(job, bars=bars and running)),
        *((("speed", label(speed(job.get("speed")))), ("left", label(span(job.get("eta_seconds"))))) if running else ()),
        ("attempts", label(attempts)),
        ("audio", label(span(job.get("duration")))),
        ("created", label(f"{since(job, 'created', now)} ago")),
        ("changed", label(f"{since(job, 'changed', now)} ago")),
        ("output", label(job.get("output"))),
        ("outputs", _lines(job.get("outputs") or [])),
        *([("former", _lines(job["former"]))] if job.get("former") else []),
        ("folder", label(job.get("folder"))),
        ("stages", label(_listed(job.get("stages")))),
        ("media", label(job.get("media_id"))),
        ("settings", label(job.get("settings_hash"))),
    ]
    if (job.get("not_before") or 0) > now:
        rows.append(("next try", label(f"in {span(job['not_before'] - now)}")))
    if job.get("duplicate_of"):
        rows.append(("same as", label(job["duplicate_of"])))
    if job.get("waits_for"):
        rows.append(("waits for", label(wanting(job))))
    if job.get("error"):
        # whoever cancelled it knows better what to do than the failure of an attempt before
        is_over = job.get("status") == "cancelled"
        rows.append(("last failure", label(job["error"].get("what"), "red")) if is_over else ("error", reason(job)))
    rows += [(f"  {key}", label(value)) for key, value in flat(job.get("settings") or {})]
    return pairs(rows)


def _progress(job: Plain, *, bars: bool) -> RenderableType:
    if not bars:
        return label(percent(job.get("progress")))
    return ProgressBar(total=1.0, completed=job.get("progress") or 0.0, width=BAR_WIDTH)


def _listed(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(str(key) for key, on in value.items() if on)
    return ", ".join(str(item) for item in value) if isinstance(value, Sequence) and not isinstance(value, str) else str(value or "-")


def _lines(items: Iterable[object]) -> Text:
    return Text("\n").join([label(item) for item in items]) or label(None)


def flat(plain: Plain, prefix: str = "") -> list[tuple[str, str]]:
    """A nested dict as dotted keys and their values, the values in JSON but for plain strings."""
    found: list[tuple[str, str]] = []
    for key, value in plain.items():
        if isinstance(value, Mapping) and value:
            found += flat(value, f"{prefix}{key}.")
        else:
            found.append((f"{prefix}{key}", value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)))
    return found


def pairs(rows: Iterable[tuple[str, RenderableType]]) -> Table:
    """Keys and what belongs to them, side by side; the right side folds where the terminal is narrow."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    for key, value in rows:
        table.add_row(label(key), value)
    return table


def progress_view(moving: Sequence[Plain], count: int) -> RenderableType:
    """What `transcribe` is doing: a row for each of the last jobs in `moving` (the latest last), of `count` in all."""
    table = lineless("name", "stage", "progress", "done", "speed", "cpu", "memory")
    for item in moving[-ROWS:]:
        cpu, memory = item.get("cpu_percent"), item.get("memory_mb")
        table.add_row(
            cut(item.get("name")),
            label(item.get("stage") or "waits"),
            ProgressBar(total=1.0, completed=item.get("fraction") or 0.0, width=BAR_WIDTH),
            label(percent(item.get("fraction"))),
            label(speed(item.get("speed"))),
            label(None if cpu is None else f"{cpu:.0f}%"),
            label(None if memory is None else size(memory * 1e6)),
        )
    return Group(table, label(f"{len(moving)} of {count} begun")) if count > 1 else table


def checks_view(checks: Sequence[Plain]) -> RenderableType:
    """The doctor's findings, a line each: level, subject, what was found; then what to do about it."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for check in checks:
        found = label(check["found"])
        if check.get("advice"):
            found = Text("\n").join([found, label(f"→ {check['advice']}", "bold")])
        table.add_row(label(check["level"], STYLES[check["level"]]), label(check["subject"]), found)
    fine, warnings, problems = (sum(check["level"] == level for check in checks) for level in ("ok", "warning", "problem"))
    return Group(table, Text(), Text(f"ok: {fine} · warnings: {warnings} · problems: {problems}"))
