"""Seeking the speakers of a transcribed recording anew: whether what is kept of it allows that, and what its settings become."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from trax.config import job_settings
from trax.errors import JobError
from trax.jobs.job import Job
from trax.pipeline import artefacts
from trax.pipeline.runner import TRANSCRIBE_AGAIN
from trax.pipeline.snapshots import Kept, kept_of
from trax.pipeline.stages import CLUSTER, PLAN, REFINE, SPEAKERS, stages_for, stages_with

#: Whether and how speakers are named is the administrator's to say, today's settings hold for it.
PROFILES = ("profiles", "profile_accept", "profile_suggest")
#: What can be asked for, all of the section `diarize`: the embeddings are those of the job's own model.
CHANGES = ("min_speakers", "max_speakers", "threshold", *PROFILES)


def settings_for(job: Job, changes: Mapping[str, Any]) -> Kept:
    """The job's settings with these changes to `diarize`. Raises JobError when they cannot be."""
    if unknown := changes.keys() - set(CHANGES):
        raise JobError(f"{', '.join(sorted(unknown))} cannot be changed so.", advice="Are trax-ctl and traxd of one version?")
    plain = {**job.settings, "diarize": {**job.settings["diarize"], **changes}}
    try:
        diarize = job_settings(plain).diarize
    except ValidationError as error:
        wrong = error.errors()[0]
        raise JobError(f"{'.'.join(map(str, wrong['loc']))}: {wrong['msg']}.", advice="See `trax-ctl rediarize --help`.") from error
    if diarize.min_speakers > diarize.max_speakers:
        what = f"At least {diarize.min_speakers} speakers are more than at most {diarize.max_speakers}."
        raise JobError(what, advice="Give both --min-speakers and --max-speakers, or --speakers.")
    return kept_of(plain)


def check(job: Job, folder: Path | None) -> None:
    """Raises JobError, which says what to do, unless the words and the voices of the job are kept in its folder."""
    if folder is None:
        raise JobError(f"What was made of the recording of job {job.id} is no longer kept.", advice="Drop it into the inbox again.")
    stages = stages_for(job.settings)
    if CLUSTER not in stages:
        raise JobError(f"Job {job.id} was done without telling speakers apart.", advice=TRANSCRIBE_AGAIN)
    plan = artefacts.read(folder, PLAN)
    for stage in stages_with(plan.result if plan else {}, stages):
        if stage == REFINE and not artefacts.was_recorded(folder, REFINE):
            continue  # it failed, and the words are those of the first pass
        if stage not in SPEAKERS and artefacts.read(folder, stage) is None:
            what = f"Of job {job.id}, what the stage {stage.name} made is no longer kept, or is damaged."
            raise JobError(what, advice=TRANSCRIBE_AGAIN)
