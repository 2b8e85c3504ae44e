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

from trax.cli.text import languages, percent, size, span, speed
from trax.text import printable

Plain = Mapping[str, Any]

BAR_WIDTH = 16
#: How many recordings `transcribe` shows at once.
ROWS = 8
_STYLES = {"ok": "green", "completed": "green", "warning": "yellow", "problem": "bold red", "failed": "bold red", "cancelled": "yellow"}


def label(text: object, style: str = "") -> Text:
    """Anything as escaped text of one style; None and no text at all are `-`."""
    return Text("-" if text in (None, "") else printable(str(text)), style=style)


def status_view(status: Plain, now: float, *, bars: bool) -> RenderableType:
    """The whole status: daemon, counts, running, queued, recent, failed.

    Args:
        status: The `status` reply of the control socket; `daemon` is None when the ledger alone spoke.
        now: Epoch seconds, for ages and waits.
        bars: Whether to draw progress bars.
    """
    parts: list[RenderableType] = [_daemon_line(status.get("daemon"), now), _counts_line(status.get("counts") or {})]
    queued = list(status.get("queued") or [])
    more = max(0, int((status.get("counts") or {}).get("queued", 0)) - len(queued))
    for title, table in (
        ("Running", _running(status.get("running") or [], bars=bars)),
        ("Queued", _queued(queued, now, more)),
        ("Recent", _recent(status.get("recent") or [], now)),
        ("Failed", _failed(status.get("failed") or [], now)),
    ):
        if table is not None:
            parts += [Text(), Text(title, style="bold"), Padding(table, (0, 0, 0, 2))]
    return Group(*parts)


def _daemon_line(daemon: Plain | None, now: float) -> Text:
    if daemon is None:
        return Text("traxd is not running; this is what the ledger says", style="yellow")
    workers = list(daemon.get("workers") or [])
    busy = sum(1 for worker in workers if worker.get("busy"))
    memory = sum(worker.get("rss_mb") or 0 for worker in workers) * 1e6
    up = span(now - daemon["started"]) if daemon.get("started") else "-"
    said = f"traxd {daemon.get('version')} · process {daemon.get('pid')} · up {up} · {len(workers)} workers, {busy} busy, {size(memory)}"
    return label(said)


def _counts_line(counts: Plain) -> Text:
    said = " · ".join(f"{count} {status}" for status, count in counts.items() if count)
    return label(said or "no jobs yet")


def _cut(text: object) -> Text:
    """A name: of all cells of a row, the one that is cut where the terminal is narrow."""
    cell = label(text)
    cell.no_wrap, cell.overflow = True, "ellipsis"
    return cell


def _table(*columns: str, names: tuple[str, ...] = ("name",)) -> Table:
    """A table without lines; the columns `names`, whose cells are `_cut`, are the first to give way."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim", show_edge=False)
    for column in columns:
        gives_way = column in names
        # rich takes room from columns that may wrap before all others; the cells themselves then do not wrap
        table.add_column(column, no_wrap=not gives_way, overflow="ellipsis", min_width=8 if gives_way else None)
    return table


def _running(views: Sequence[Plain], *, bars: bool) -> Table | None:
    if not views:
        return None
    heads = ["job", "name", "stage", *(["progress"] if bars else []), "done", "speed", "left"]
    table = _table(*heads)
    for view in views:
        bar = [ProgressBar(total=1.0, completed=view.get("progress") or 0.0, width=BAR_WIDTH)] if bars else []
        table.add_row(
            label(view.get("id")),
            _cut(view.get("name")),
            label(view.get("stage")),
            *bar,
            label(percent(view.get("progress"))),
            label(speed(view.get("speed"))),
            label(span(view.get("eta_seconds"))),
        )
    return table


def _queued(views: Sequence[Plain], now: float, more: int) -> RenderableType | None:
    if not views and not more:
        return None
    table = _table("job", "name", "waits", "attempts")
    for view in views:
        waits = f"next try in {span(view['not_before'] - now)}" if (view.get("not_before") or 0) > now else _since(view, "created", now)
        table.add_row(label(view.get("id")), _cut(view.get("name")), label(waits), label(view.get("attempts") or 0))
    return Group(table, label(f"… and {more} more")) if more else table


def _recent(views: Sequence[Plain], now: float) -> Table | None:
    if not views:
        return None
    table = _table("job", "name", "status", "output", "audio", "ago", names=("name", "output"))
    for view in views:
        status = "duplicate" if view.get("duplicate_of") else str(view.get("status"))
        table.add_row(
            label(view.get("id")),
            _cut(view.get("name")),
            label(status, _STYLES.get(status, "")),
            _cut(view.get("output")),
            label(span(view.get("duration"))),
            label(_since(view, "changed", now)),
        )
    return table


def _failed(views: Sequence[Plain], now: float) -> RenderableType | None:
    if not views:
        return None
    parts: list[RenderableType] = []
    for view in views:
        head = f"{view.get('name')}  ({view.get('id')}, {_since(view, 'changed', now)} ago, attempts: {view.get('attempts') or 0})"
        parts += [label(head), Padding(_reason(view), (0, 0, 0, 2))]
    return Group(*parts)


def error_view(error: Plain | None) -> RenderableType:
    """An error as `TraxError.as_dict` gives it: what happened, then what to do."""
    if not error:
        return Text("no reason was kept", style="dim")
    file = f"{error['file']}: " if error.get("file") else ""
    return Group(label(f"{file}{error.get('what')}", "red"), *([label(error["advice"])] if error.get("advice") else []))


def _reason(view: Plain) -> RenderableType:
    error = view.get("error")
    # the job's name stands beside it already
    return error_view({**error, "file": None} if error and error.get("file") == view.get("name") else error)


def refusal_view(refused: Plain) -> RenderableType:
    """One of the jobs that a retry refused."""
    return Group(label(f"{refused.get('job')}:"), Padding(error_view(refused.get("error")), (0, 0, 0, 2)))


def _since(view: Plain, key: str, now: float) -> str:
    return span(now - view[key]) if view.get(key) is not None else "-"


def job_view(job: Plain, now: float, *, bars: bool) -> RenderableType:
    """All of one job: the reply of `show`."""
    running = job.get("status") == "running"
    attempts = int(job.get("attempts") or 0)
    rows: list[tuple[str, RenderableType]] = [
        ("job", label(job.get("id"))),
        ("name", label(job.get("name"))),
        ("status", label(job.get("status"), _STYLES.get(str(job.get("status")), ""))),
        ("stage", label(job.get("stage"))),
        ("progress", _progress(job, bars=bars and running)),
        *((("speed", label(speed(job.get("speed")))), ("left", label(span(job.get("eta_seconds"))))) if running else ()),
        ("attempts", label(attempts)),
        ("audio", label(span(job.get("duration")))),
        ("created", label(f"{_since(job, 'created', now)} ago")),
        ("changed", label(f"{_since(job, 'changed', now)} ago")),
        ("output", label(job.get("output"))),
        ("outputs", _lines(job.get("outputs") or [])),
        ("folder", label(job.get("folder"))),
        ("stages", label(_listed(job.get("stages")))),
        ("media", label(job.get("media_id"))),
        ("settings", label(job.get("settings_hash"))),
    ]
    if (job.get("not_before") or 0) > now:
        rows.append(("next try", label(f"in {span(job['not_before'] - now)}")))
    if job.get("duplicate_of"):
        rows.append(("same as", label(job["duplicate_of"])))
    if job.get("error"):
        rows.append(("error", _reason(job)))
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
    table = _table("name", "stage", "progress", "done", "speed", "cpu", "memory")
    for item in moving[-ROWS:]:
        cpu, memory = item.get("cpu_percent"), item.get("memory_mb")
        table.add_row(
            _cut(item.get("name")),
            label(item.get("stage")),
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
        table.add_row(label(check["level"], _STYLES[check["level"]]), label(check["subject"]), found)
    fine, warnings, problems = (sum(check["level"] == level for check in checks) for level in ("ok", "warning", "problem"))
    return Group(table, Text(), Text(f"ok: {fine} · warnings: {warnings} · problems: {problems}"))


def models_view(models: Sequence[Plain], catalogue: Sequence[Plain]) -> RenderableType:
    """The installed models, a line each; below them those of the catalogue that could be added."""
    table = _table("name", "kind", "engine", "scope", "languages", "size", "licence", "version")
    for model in models:
        table.add_row(
            _cut(model.get("name")),
            *(label(model.get(key)) for key in ("kind", "engine", "scope")),
            label(languages(model.get("languages") or ())),
            label(size(model["size"]) if model.get("size") else None),
            *(label(model.get(key)) for key in ("licence", "version")),
        )
    names = {model.get("name") for model in models}
    others = [entry for entry in catalogue if entry.get("name") not in names and entry.get("loadable", True)]
    if not others:
        return table
    known = pairs((str(entry.get("name")), _offer(entry)) for entry in others)
    return Group(table, Text(), Text("Could be added (download the file, then `trax-ctl models add FILE`):", style="bold"), known)


def _offer(entry: Plain) -> Text:
    """Where a model is, and what decides whether to fetch it."""
    large = size(entry["size"]) if entry.get("size") else None
    facts = (large, languages(entry.get("languages") or ()), entry.get("licence"), entry.get("note"))
    return Text("\n").join([label(entry.get("source")), label(" · ".join(str(fact) for fact in facts if fact), "dim")])


def verified_view(verified: Sequence[str], findings: Sequence[Plain]) -> RenderableType:
    """What verifying found, a line a model."""
    good = [{"level": "ok", "subject": name, "found": "as it was added"} for name in verified]
    bad = [{"level": "problem", "subject": one["model"], "found": one["what"], "advice": one["advice"]} for one in findings]
    return checks_view([*good, *bad])
