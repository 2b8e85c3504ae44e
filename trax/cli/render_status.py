"""The whole status of a daemon, or of its ledger, as a rich renderable: pure, from plain dicts, for any width."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from trax.cli.render import BAR_WIDTH, STYLES, Plain, cut, error_view, label, lineless, pairs, reason, since, wanting
from trax.cli.text import percent, span, speed
from trax.text import printable, size


def status_view(status: Plain, now: float, *, bars: bool) -> RenderableType:
    """The whole status: daemon, counts, workers, running, queued, recent, failed.

    Args:
        status: The `status` reply of the control socket; `daemon` is None when the ledger alone spoke.
        now: Epoch seconds, for ages and waits.
        bars: Whether to draw progress bars.
    """
    parts: list[RenderableType] = [_daemon_line(status.get("daemon"), now), _counts_line(status.get("counts") or {})]
    queued = list(status.get("queued") or [])
    more = max(0, int((status.get("counts") or {}).get("queued", 0)) - len(queued))
    for title, table in (
        ("Workers", _workers((status.get("daemon") or {}).get("workers") or [])),
        ("Running" if status.get("daemon") else "Running when the daemon ended", _running(status.get("running") or [], bars=bars)),
        ("Queued", _queued(queued, now, more)),
        ("Recent", _recent(status.get("recent") or [], now)),
        ("Failed", _failed(status.get("failed") or [], now)),
        ("Stays in the inbox", _untaken(status.get("untaken") or [])),
    ):
        if table is not None:
            parts += [Text(), Text(title, style="bold"), Padding(table, (0, 0, 0, 2))]
    return Group(*parts)


def _daemon_line(daemon: Plain | None, now: float) -> Text:
    if daemon is None:
        return Text("without the daemon: this is what the ledger says", style="yellow")
    workers = list(daemon.get("workers") or [])
    busy = sum(1 for worker in workers if worker.get("busy"))
    memory = sum(worker.get("rss_mb") or 0 for worker in workers) * 2**20
    up = span(now - daemon["started"]) if daemon.get("started") else "-"
    said = f"traxd {daemon.get('version')} · process {daemon.get('pid')} · up {up} · workers: {len(workers)}, {busy} busy, {size(memory)}"
    return label(said)


def _counts_line(counts: Plain) -> Text:
    said = " · ".join(f"{count} {status}" for status, count in counts.items() if count)
    return label(said or "no jobs yet")


def _workers(views: Sequence[Plain]) -> Table | None:
    """A row for each worker that has loaded models: which, what each costs, and of how much memory it may make use."""
    caches = [(view, view["cache"]) for view in views if view.get("cache")]
    if not caches:
        return None
    table = lineless("lane", "process", "memory", "may take", "models loaded", names=("models loaded",))
    for view, cache in caches:
        models = ", ".join(f"{model.get('name')} {_size_of(model.get('mb'))}" for model in cache.get("models") or [])
        memory = [label(_size_of(mebibytes)) for mebibytes in (view.get("rss_mb"), cache.get("budget_mb"))]
        table.add_row(label(view.get("lane")), label(view.get("pid")), *memory, cut(models))
    return table


def _size_of(mebibytes: float | None) -> str:
    return size((mebibytes or 0) * 2**20)


def _running(views: Sequence[Plain], *, bars: bool) -> Table | None:
    if not views:
        return None
    heads = ["job", "name", "stage", *(["progress"] if bars else []), "done", "speed", "left"]
    table = lineless(*heads)
    for view in views:
        bar = [ProgressBar(total=1.0, completed=view.get("progress") or 0.0, width=BAR_WIDTH)] if bars else []
        table.add_row(
            label(view.get("id")),
            cut(view.get("name")),
            cut(f"waits for {wanting(view)}" if view.get("waits_for") else view.get("stage")),
            *bar,
            label(percent(view.get("progress"))),
            label(speed(view.get("speed"))),
            label(span(view.get("eta_seconds"))),
        )
    return table


def _queued(views: Sequence[Plain], now: float, more: int) -> RenderableType | None:
    if not views and not more:
        return None
    reasons = [(view.get("error") or {}).get("what") for view in views]
    heads = ["job", "name", "waits", "attempts", *(["last failure"] if any(reasons) else [])]
    table = lineless(*heads, names=("name", "waits", "last failure"))
    for view, last in zip(views, reasons, strict=True):
        why = [cut(last)] if any(reasons) else []
        table.add_row(label(view.get("id")), cut(view.get("name")), cut(_waits(view, now)), label(view.get("attempts") or 0), *why)
    return Group(table, label(f"… and {more} more")) if more else table


def _waits(view: Plain, now: float) -> str:
    """What a job waits for, or since when."""
    if view.get("waits_for"):
        return f"for {wanting(view)}"
    return f"next try in {span(view['not_before'] - now)}" if (view.get("not_before") or 0) > now else since(view, "created", now)


def _untaken(files: Sequence[Plain]) -> RenderableType | None:
    """What cannot be taken out of the inbox, why, and what to do."""
    return pairs((str(printable(str(file.get("name")))), error_view({**file, "file": None})) for file in files) if files else None


def _recent(views: Sequence[Plain], now: float) -> Table | None:
    if not views:
        return None
    table = lineless("job", "name", "status", "output", "audio", "ago", names=("name", "output"))
    for view in views:
        status = "duplicate" if view.get("duplicate_of") else str(view.get("status"))
        table.add_row(
            label(view.get("id")),
            cut(view.get("name")),
            label(status, STYLES.get(status, "")),
            cut(view.get("output")),
            label(span(view.get("duration"))),
            label(since(view, "changed", now)),
        )
    return table


def _failed(views: Sequence[Plain], now: float) -> RenderableType | None:
    if not views:
        return None
    parts: list[RenderableType] = []
    for view in views:
        head = f"{view.get('name')}  ({view.get('id')}, {since(view, 'changed', now)} ago, attempts: {view.get('attempts') or 0})"
        parts += [label(head), Padding(reason(view), (0, 0, 0, 2))]
        if view.get("waits_for"):
            parts.append(Padding(label(f"Its answer is not in the outbox yet: {wanting(view)}", "yellow"), (0, 0, 0, 2)))
    return Group(*parts)
