"""A job as the control socket and trax-ctl show it: plain values, names made safe for terminals."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from trax.intake.inbox import Untaken
from trax.intake.names import printable
from trax.jobs.folders import StateFolders
from trax.jobs.job import Job, Status
from trax.jobs.ledger import Ledger
from trax.jobs.outputs import ERROR_ENDING
from trax.pipeline import artefacts, former
from trax.pipeline.lanes import WorkerView
from trax.pipeline.stages import PLAN, STAGES, stages_with

#: How many jobs a status lists: of those that wait, and of the finished and the failed ones.
_QUEUED, _RECENT = 50, 10


def job_view(job: Job) -> dict[str, Any]:
    """One job in a list, as the ledger knows it: `progress` 0 to 1, `speed` in audio seconds a second, `eta_seconds` left.

    What only the daemon knows: `waits_for` says in words what keeps it from going on, `missing_bytes` how much room if it is that.
    """
    return {
        "id": job.id,
        "name": printable(job.source_name),
        "output": printable(job.output_name),
        "status": job.status.value,
        "stage": job.stage,
        "progress": 1.0 if job.status is Status.COMPLETED else 0.0,
        "speed": None,
        "eta_seconds": None,
        "attempts": job.attempts,
        "created": job.created,
        "changed": job.changed,
        "duration": job.duration,
        "error": None if job.error is None else _safe(job.error),
        "not_before": job.not_before,
        "waits_for": None,
        "missing_bytes": None,
        "duplicate_of": job.duplicate_of,
    }


def worker_view(worker: WorkerView) -> dict[str, Any]:
    """One worker: `budget_mb` is what its process may take with all its models, `models` what is loaded and what each costs.

    `loads`, `loads_ahead` (of those, the ones nobody waited for) and `evictions` count since its start. `cache` is null until it
    loads a model.
    """
    cache = worker.cache and {
        "budget_mb": _mb(worker.cache.budget),
        "loads": worker.cache.loads,
        "loads_ahead": worker.cache.loads_ahead,
        "evictions": worker.cache.evictions,
        "models": [{"name": printable(model.name), "mb": _mb(model.memory)} for model in worker.cache.models],
    }
    return {"lane": worker.lane, "pid": worker.pid, "busy": worker.is_busy, "rss_mb": _mb(worker.memory), "cache": cache}


def _mb(count: int) -> float:
    return round(count / 2**20, 1)


def status_view(
    ledger: Ledger,
    *,
    view: Callable[[Job], dict[str, Any]] = job_view,
    daemon: Mapping[str, Any] | None = None,
    untaken: Iterable[Untaken] = (),
) -> dict[str, Any]:
    """The queue, what runs, what finished and what failed. `view` shows a job; `daemon` is None where the ledger alone speaks.

    `untaken` is what stays in the inbox.
    """
    return {
        "daemon": daemon,
        "counts": {status.value: count for status, count in ledger.counts().items()},
        "running": [view(job) for job in ledger.by_status(Status.RUNNING)],
        "queued": [view(job) for job in ledger.by_status(Status.CLAIMED, Status.QUEUED)[:_QUEUED]],
        "recent": [view(job) for job in ledger.recent(_RECENT)],
        "failed": [view(job) for job in ledger.failed(_RECENT)],
        "untaken": [_safe(asdict(each)) for each in untaken][:_QUEUED],
    }


def job_details(job: Job, state: StateFolders, outbox: Path) -> dict[str, Any]:
    """Everything about one job: its view, its settings, its folder, its outputs relative to the outbox, and the files of former answers."""
    folder = state.find(job.id)
    formats = job.settings.get("output", {}).get("formats", ())
    names = [job.output_name + ending for ending in (*(f".{each}" for each in formats), ERROR_ENDING)]
    return {
        **job_view(job),
        "media_id": job.media_id,
        "stages": _stages(job, folder),
        "settings_hash": job.settings_hash,
        "settings": dict(job.settings),
        "folder": None if folder is None else str(folder),
        "outputs": [printable(name) for name in names if (outbox / name).is_file()],
        "former": [printable(str(path)) for path in former.listed(folder)] if folder else [],
    }


def _stages(job: Job, folder: Path | None) -> list[str]:
    """The stages of a job; once its models are chosen, without a second pass for which there was none."""
    plan = artefacts.read(folder, PLAN) if folder is not None else None
    if plan is None:
        return list(job.stages)
    there = {stage.name for stage in stages_with(plan.result, STAGES)}
    return [name for name in job.stages if name in there]


def _safe(error: Mapping[str, Any]) -> dict[str, Any]:
    return {key: printable(value) if isinstance(value, str) else value for key, value in error.items()}
