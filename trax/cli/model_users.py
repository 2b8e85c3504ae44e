"""What uses a model: the settings in force, and the jobs that are not finished."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any

from trax.cli.offline import open_ledger
from trax.config import JobSettings, Settings
from trax.errors import DaemonAbsent, ModelError
from trax.jobs.folders import StateFolders
from trax.jobs.job import FINISHED, Job, Status
from trax.pipeline import artefacts
from trax.pipeline.stages import PLAN

#: The settings that can name a model.
NAMING = ("asr.fast_model", "asr.refine_model", "diarize.model", "diarize.segmentation")
_SHOWN = 3


def naming(settings: JobSettings, name: str) -> tuple[str, ...]:
    """The keys of the settings that name the model."""
    return tuple(key for key in NAMING if attrgetter(key)(settings) == name)


def unfinished_jobs(settings: Settings) -> Mapping[str, Sequence[str]]:
    """The ids of the unfinished jobs that need a model, by the model's name: their settings name it, or the plan they began with has it.

    Nothing where there is no ledger, or none that this user may read. Raises LedgerError when it is damaged.
    """
    state = StateFolders(settings.state_folder)
    try:
        jobs = open_ledger(settings).by_status(*(status for status in Status if status not in FINISHED))
    except DaemonAbsent:
        return {}
    users: dict[str, list[str]] = {}
    for job in jobs:
        for name in sorted({*_named(job), *_planned(job, state)}):
            users.setdefault(name, []).append(job.id)
    return users


def check_unused(settings: Settings, name: str) -> None:
    """Raise ModelError when taking this model away would make new jobs fail, or unfinished ones."""
    if keys := naming(settings, name):
        what = f"{' and '.join(keys)} {'names' if len(keys) == 1 else 'name'} {name}: without it, every new job would fail."
        raise ModelError(what, advice=f"Set {' and '.join(keys)} to auto or to another model and restart traxd; then remove it.")
    if jobs := unfinished_jobs(settings).get(name):
        some = ", ".join(jobs[:_SHOWN]) + (", …" if jobs[_SHOWN:] else "")
        what = f"{len(jobs)} unfinished {'job needs' if len(jobs) == 1 else 'jobs need'} {name}: {some}."
        raise ModelError(what, advice="Remove it when they are done (see `trax-ctl status`), or cancel them with `trax-ctl cancel JOB`.")


def _named(job: Job) -> Iterator[str]:
    for key in NAMING:
        section, _, field = key.partition(".")
        yield str(job.settings.get(section, {}).get(field))


def _planned(job: Job, state: StateFolders) -> Iterator[str]:
    made = artefacts.read(state.work / job.id, PLAN)
    planned: Mapping[str, Any] = made.result if made else {}
    return (str(model["name"]) for model in planned.values() if isinstance(model, dict) and "name" in model)
