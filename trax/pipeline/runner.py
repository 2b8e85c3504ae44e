"""Runs one job through its stages: what is valid is kept, the rest runs as soon as what it needs is there."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from loguru import logger

from trax.errors import JobError, ModelError, TraxError, WorkerCrashed, WorkerError
from trax.intake.names import extension_of
from trax.jobs.folders import SOURCE_FILE, StateFolders
from trax.jobs.job import Job
from trax.pipeline import artefacts, enrolment
from trax.pipeline.artefacts import Made
from trax.pipeline.enrolment import Enrolled
from trax.pipeline.lanes import Lanes, StageTask
from trax.pipeline.stages import (
    CLUSTER,
    DECODE,
    NAME,
    PLAN,
    REFINE,
    SPEAKERS,
    TRANSCRIBE,
    VOICES,
    Stage,
    models_to_load,
    overall_progress,
    stages_for,
    stages_with,
    stamp,
    still_to_run,
)
from trax.plain import diarization_from_plain, likenesses_from_plain, recognition_from_plain, voice_print_to_plain
from trax.transcript import Diarization, Recognition

TRANSCRIBE_AGAIN = "`trax-ctl retry --current-settings` transcribes it again, as long as the recording is kept."


@dataclass(frozen=True, slots=True)
class Work:
    """What the runner needs to know of a job. `folder` holds its artefacts, `source` is the recording with that `extension`.

    On the last attempt a second pass that fails is done without. Where `only_speakers` are sought anew, the artefacts of all other stages
    are taken as they lie.
    """

    job: str
    folder: Path
    source: Path
    extension: str
    sha256: str
    settings: Mapping[str, Any]
    models_folder: Path
    speakers_folder: Path
    is_last_attempt: bool
    only_speakers: bool = False


def work_on(job: Job, folders: StateFolders, max_attempts: int) -> Work:
    """What the runner needs to know of a job of the daemon, which lies in `work`."""
    folder = folders.work / job.id
    return Work(
        job=job.id,
        folder=folder,
        source=folder / SOURCE_FILE,
        extension=extension_of(job.source_name),
        sha256=job.media_id,
        settings=job.settings,
        models_folder=folders.models,
        is_last_attempt=job.attempts >= max_attempts,
        speakers_folder=folders.speakers,
        only_speakers=job.standing is not None,
    )


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is: `stage` began, moves or ended, `fraction` of the whole is done; `audio_seconds` once they are known.

    `stage` is None while the job stands still: whatever of it could go on waits for a worker.
    """

    stage: str | None
    fraction: float
    audio_seconds: float | None


@dataclass(frozen=True, slots=True)
class Products:
    """What the stages found, for the merge. `seconds` is the wall time of each stage, `speech` seconds of voice activity.

    `second_pass_error` is why there was no second pass though the plan had a model for it; `notes` say who was not looked for, and why.
    """

    media: Mapping[str, Any]
    plan: Mapping[str, Any]
    recognition: Recognition
    diarization: Diarization | None
    speech: float
    seconds: Mapping[str, float]
    second_pass_error: TraxError | None = None
    notes: tuple[str, ...] = ()


class _Run:
    """One pass over the stages of one job."""

    def __init__(self, work: Work, lanes: Lanes, on_progress: Callable[[Progress], None]) -> None:
        self.stages = stages_for(work.settings)
        self.made: dict[str, Made] = {}
        self.second_pass_error: TraxError | None = None
        self.enrolled = Enrolled()
        self._work = work
        self._lanes = lanes
        self._on_progress = on_progress
        self._files = {stage.makes: stage.file for stage in self.stages} | {VOICES: None}
        self._fractions = {stage.name: 0.0 for stage in self.stages}
        self._left: list[Stage] = []
        #: The stages that are with the lanes, and whether a worker has begun with them.
        self._has_begun: dict[Stage, bool] = {}

    async def complete(self) -> None:
        """Run what must run. Raises the first TraxError of a stage; the stages beside it are cancelled."""
        await self._run((PLAN,))  # which models there are decides which of the other artefacts are valid
        self.stages = stages_with(self._plan, self.stages)
        if NAME in self.stages:
            means = enrolment.Means(self._lanes, self._plan, self._work.settings, self._work.models_folder)
            self.enrolled = await enrolment.voices_for(self._work.speakers_folder, means)
        if self._work.only_speakers and REFINE in self.stages and not artefacts.was_recorded(self._work.folder, REFINE):
            self._do_without_second_pass(WorkerError("it had failed when the recording was transcribed"))
        try:
            await self._run(self.stages)
        except ModelError:
            if not self._is_taken_as_it_lies(PLAN):
                artefacts.forget(self._work.folder, PLAN)  # once the models are mended, they may be others
            raise
        finally:
            self._lanes.expect(self._work.job, {})

    async def _run(self, stages: tuple[Stage, ...]) -> None:
        for stage in stages:
            made = artefacts.read(self._work.folder, stage)
            if made is not None and (self._is_taken_as_it_lies(stage) or made.stamp == self._expected(stage)):
                self.made[stage.makes] = made
            elif self._is_taken_as_it_lies(stage):
                raise JobError(f"What the stage {stage.name} made is no longer there, or is damaged.", advice=TRANSCRIBE_AGAIN)
        kept = {stage.makes for stage in stages if artefacts.is_kept(self._work.folder, stage)}
        to_run = still_to_run(stages, valid=set(self.made), kept=kept, wanted=[stage.makes for stage in stages])
        self._fractions.update({stage.name: 0.0 if stage in to_run else 1.0 for stage in stages})
        self._left = list(to_run)
        self._expect()
        running: dict[str, asyncio.Task[None]] = {}
        for stage in to_run:
            waits_for = [running[artefact] for artefact in stage.needs if artefact in running]
            run = self._run_second_pass if stage == REFINE else self._run_one
            running[stage.makes] = asyncio.create_task(run(stage, waits_for))
        await _all_or_first_error(list(running.values()))

    def _is_taken_as_it_lies(self, stage: Stage) -> bool:
        return self._work.only_speakers and stage not in SPEAKERS

    @property
    def _plan(self) -> Mapping[str, Any]:
        """The chosen models by role; none before they are chosen."""
        return self.made[PLAN.makes].result if PLAN.makes in self.made else {}

    def _expect(self) -> None:
        """Tell the lanes which models they will be asked for, as far as the plan says."""
        self._lanes.expect(self._work.job, models_to_load(self._left, self._plan))

    def _expected(self, stage: Stage) -> str:
        """The stamp of a valid artefact; those of its inputs follow from the recording alone, whether they lie there or not."""
        plan = self._plan
        stamps = {VOICES: self.enrolled.digest}
        for each in self.stages:
            if self._is_taken_as_it_lies(each):
                stamps[each.makes] = self.made[each.makes].stamp
            else:
                stamps[each.makes] = stamp(each, recording=self._work.sha256, settings=self._work.settings, plan=plan, inputs=stamps)
            if each == stage:
                break
        return stamps[stage.makes]

    async def _run_one(self, stage: Stage, waits_for: list[asyncio.Task[None]]) -> None:
        for earlier in waits_for:
            await earlier
        work, plan = self._work, self._plan
        task = StageTask(
            kind=stage.name,
            lane=stage.lane,
            job=work.job,
            folder=str(work.folder),
            source=str(work.source),
            extension=work.extension,
            inputs={artefact: file for artefact in stage.needs if (file := self._files[artefact]) is not None},
            output=stage.file,
            settings=work.settings,
            models={role: plan[role] for role in stage.models},
            models_folder=str(work.models_folder),
            voices=[voice_print_to_plain(voice) for voice in self.enrolled.voices] if stage == NAME else (),
        )
        artefacts.forget(work.folder, stage)  # a stamp of before must not come to lie beside a file of now
        began = 0.0

        def follow(fraction: float) -> None:
            nonlocal began
            began = began or time.monotonic()  # the first that is heard is that the work begins: until then it waited for a worker
            self._has_begun[stage] = True
            self._tell(stage, fraction)

        self._has_begun[stage] = False
        self._tell(stage, 0.0)
        try:
            result = await self._lanes.run(task, follow)
        finally:
            del self._has_begun[stage]
        if stage == PLAN:
            self._check_plan(result)
        made = Made(self._expected(stage), result, time.monotonic() - began)
        artefacts.record(work.folder, stage, made)
        self.made[stage.makes] = made
        self._left.remove(stage)
        self._expect()
        self._tell(stage, 1.0)
        logger.debug("stage {} done in {:.2f} s", stage.name, made.seconds)

    async def _run_second_pass(self, stage: Stage, waits_for: list[asyncio.Task[None]]) -> None:
        """What the first pass heard is not lost because the second fails: when that is final, the job goes on without."""
        for earlier in waits_for:
            await earlier
        try:
            await self._run_one(stage, [])
        except (WorkerError, ModelError) as error:
            if not (error.permanent or self._work.is_last_attempt):
                raise
            logger.warning("goes on without a second pass: {}", error)
            self._do_without_second_pass(error)
            self._left.remove(stage)
            self._expect()
            self._tell(stage, 1.0)

    def _do_without_second_pass(self, error: TraxError) -> None:
        self.second_pass_error = error
        self.stages = tuple(stage for stage in self.stages if stage != REFINE)

    def _check_plan(self, plan: Mapping[str, Any]) -> None:
        for role in {role for stage in stages_with(plan, self.stages) for role in stage.models}:
            if not isinstance(plan.get(role), dict):
                raise WorkerCrashed(f"The plan has no model for {role}.")

    def _tell(self, stage: Stage, fraction: float) -> None:
        self._fractions[stage.name] = max(fraction, self._fractions[stage.name])
        media = self.made.get("pcm")
        seconds = media.result.get("duration") if media else None
        stands_still = self._has_begun and not any(self._has_begun.values())
        name = None if stands_still else stage.name
        self._on_progress(Progress(name, overall_progress(self.stages, self._fractions), seconds))


async def _all_or_first_error(tasks: list[asyncio.Task[None]]) -> None:
    """Wait for all; when one fails, the others are cancelled, and waited for. Of several errors a permanent one decides.

    Not a TaskGroup: there, a stage that fails in the moment in which the job is cancelled would hide the cancellation.
    """
    if not tasks:
        return
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        for task in tasks:
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
    errors = [end for end in ends if isinstance(end, Exception)]
    if errors:
        raise next((error for error in errors if isinstance(error, TraxError) and error.permanent), errors[0])


async def run_stages(work: Work, lanes: Lanes, on_progress: Callable[[Progress], None]) -> Products:
    """Bring a job's artefacts up to date and read what the merge needs.

    Raises the error of the stage that failed, WorkerCrashed when an artefact cannot be read.
    """
    run = _Run(work, lanes, on_progress)
    await run.complete()
    try:
        return await asyncio.to_thread(_products, work, run)  # hours of words take seconds to read: not in the loop
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        for stage in SPEAKERS if work.only_speakers else run.stages:
            if stage not in (PLAN, DECODE):
                artefacts.forget(work.folder, stage)
        raise WorkerCrashed(f"An artefact cannot be read ({error}); it is made again.") from error


def _products(work: Work, run: _Run) -> Products:
    stages, made = run.stages, run.made
    words = REFINE if REFINE in stages else TRANSCRIBE
    return Products(
        media=made["pcm"].result,
        plan=made["plan"].result,
        recognition=recognition_from_plain(_read(work.folder, words)),
        diarization=_diarization(work, stages) if CLUSTER in stages else None,
        speech=float(made["vad"].result["speech_seconds"]),
        seconds={stage.name: made[stage.makes].seconds for stage in stages},
        second_pass_error=run.second_pass_error,
        notes=run.enrolled.notes,
    )


def _diarization(work: Work, stages: tuple[Stage, ...]) -> Diarization:
    diarization = diarization_from_plain(_read(work.folder, CLUSTER))
    if NAME not in stages:
        return diarization
    found = likenesses_from_plain(_read(work.folder, NAME))
    # whoever was forgotten while this ran is not named
    kept = {label: likeness for label, likeness in found.items() if (work.speakers_folder / likeness.name).is_dir()}
    return replace(diarization, likenesses=kept)


def _read(folder: Path, stage: Stage) -> Mapping[str, Any]:
    assert stage.file is not None
    plain = json.loads((folder / stage.file).read_bytes())
    if not isinstance(plain, dict):
        raise TypeError(f"{stage.file} is not an object")
    return plain
