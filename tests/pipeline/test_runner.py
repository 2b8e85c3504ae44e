from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from trax.config import Diarize, Settings, Stages, snapshot
from trax.errors import DamagedRecording, JobError, ModelError, TraxError, WorkerCrashed
from trax.pipeline import artefacts
from trax.pipeline.lanes import Lanes, OnProgress, StageTask, WorkerView
from trax.pipeline.runner import Products, Progress, Work, run_stages
from trax.pipeline.stages import DECODE, NAME, PLAN, REFINE, SEGMENT, STAGES, TRANSCRIBE, Lane

#: Of what is built in, there is no model for a second pass or for several voices at once; and nobody is looked for.
EVERYTHING = [stage.name for stage in STAGES if stage not in (REFINE, SEGMENT, NAME)]
OTHER_SPEAKERS = Settings(diarize=Diarize(min_speakers=1, max_speakers=2))


@dataclass
class Followed:
    """Lanes that remember what they were asked to run, and may do something else instead of a stage."""

    lanes: Lanes | None
    ran: list[str] = field(default_factory=list)
    instead: dict[str, Callable[[StageTask], Any]] = field(default_factory=dict)
    expected: list[dict[Lane, list[str]]] = field(default_factory=list)

    async def run(self, task: StageTask, on_progress: OnProgress) -> dict[str, Any]:
        self.ran.append(task.kind)
        if other := self.instead.get(task.kind):
            result = other(task)
            return await result if asyncio.iscoroutine(result) else result
        assert self.lanes is not None, f"{task.kind} should not have run"
        return await self.lanes.run(task, on_progress)

    def expect(self, job: str, models: Mapping[Lane, Sequence[Any]]) -> None:
        assert job
        self.expected.append({lane: [model["name"] for model in several] for lane, several in models.items()})

    async def close(self) -> None: ...

    def workers(self) -> Sequence[WorkerView]:
        return []


def work_in(folder: Path, speech: Path, settings: Settings | None = None) -> Work:
    folder.mkdir(parents=True, exist_ok=True)
    source = folder / "source"
    if not source.exists():
        shutil.copyfile(speech, source)
    sha256 = hashlib.sha256(source.read_bytes()).hexdigest()
    asked = snapshot(settings or Settings())
    folders = folder / "models", folder / "speakers"
    return Work("20261122-190512-7f3a9c", folder, source, ".wav", sha256, asked, *folders, is_last_attempt=False)


@pytest.fixture(scope="module")
def everything_done(tmp_path_factory, speech) -> tuple[Path, Products, list[Progress]]:
    """A job's folder after one whole run with real engines, what came of it, and how it was told."""
    from trax.pipeline.decoding import DecodeLimits
    from trax.pipeline.division import divide
    from trax.pipeline.local_lanes import LocalLanes

    folder = tmp_path_factory.mktemp("job")
    told: list[Progress] = []

    async def main() -> Products:
        division = divide(cores=2, max_workers=2, is_parallel=True, memory_gb=8.0)
        lanes = LocalLanes(division, hang_seconds=60, idle_seconds=60, limits=DecodeLimits())
        try:
            return await run_stages(work_in(folder, speech), lanes, told.append)
        finally:
            await lanes.close()

    return folder, asyncio.run(main()), told


@pytest.fixture
def job(tmp_path, everything_done, speech) -> Work:
    """A job of which everything is done."""
    folder = tmp_path / "job"
    shutil.copytree(everything_done[0], folder)
    return work_in(folder, speech)


def again(work: Work, lanes: Callable[..., Any] | None = None, **instead: Callable[[StageTask], Any]) -> tuple[list[str], Products]:
    """Run the job again; returns the stages that ran. Without `lanes` none may but those given `instead`."""

    async def main() -> tuple[list[str], Products]:
        if lanes is None:
            followed = Followed(None, instead=instead)
            return followed.ran, await run_stages(work, followed, lambda _progress: None)
        async with lanes(max_workers=1) as local:
            followed = Followed(local, instead=instead)
            return followed.ran, await run_stages(work, followed, lambda _progress: None)

    return asyncio.run(main())


def raising(error: BaseException) -> Callable[[StageTask], Any]:
    def fail(_task: StageTask) -> Any:
        raise error

    return fail


# -- a whole run


def test_real_speech_comes_out_as_words_and_turns(everything_done):
    _, products, _ = everything_done
    words = [word.text for segment in products.recognition.segments for word in segment.words]
    assert words[:2] == ["good", "morning"]
    assert products.diarization is not None
    assert {turn.speaker for turn in products.diarization.turns} >= {"SPEAKER_00"}
    assert products.media["duration"] == 4.0
    assert 2.0 < products.speech <= 4.0
    assert {role for role, model in products.plan.items() if model} == {"asr", "vad", "embedding"}
    assert set(products.seconds) == set(EVERYTHING)


def test_progress_goes_from_nothing_to_everything_and_never_back(everything_done):
    _, _, told = everything_done
    fractions = [progress.fraction for progress in told]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert {progress.stage for progress in told if progress.stage} == set(EVERYTHING)
    assert told[-1].audio_seconds == 4.0


def test_while_a_job_waits_for_a_worker_it_is_in_no_stage(job):
    """The transcription has to wait: for the embeddings, which begin beside it and end, and then some more."""
    stages: list[str | None] = []
    is_alone = asyncio.Event()

    def follow(progress: Progress) -> None:
        if stages[-1:] != [progress.stage]:
            stages.append(progress.stage)
        if stages[-2:] == ["embed", None]:
            is_alone.set()

    class Busy(Followed):
        async def run(self, task: StageTask, on_progress: OnProgress) -> dict[str, Any]:
            if task.kind == "transcribe":
                await is_alone.wait()
            on_progress(0.0)
            (job.folder / str(task.output)).write_text('{"language": "en", "segments": [], "quarantined": [], "refinements": []}')
            return {}

    artefacts.forget(job.folder, TRANSCRIBE)
    (job.folder / "embeddings.npz").unlink()
    asyncio.run(asyncio.wait_for(run_stages(job, Busy(None), follow), 30))
    assert stages == [None, "embed", None, "transcribe"]


# -- what runs again


def test_a_second_run_does_nothing_and_finds_the_same(job, everything_done):
    ran, products = again(job)
    assert ran == []
    assert replace(products, seconds={}) == replace(everything_done[1], seconds={})


def test_without_the_sound_a_second_run_does_nothing_either(job):
    artefacts.drop_large(job.folder, STAGES)
    assert again(job)[0] == []


def test_a_changed_setting_runs_what_depends_on_it_and_no_more(job, speech, lanes):
    assert again(work_in(job.folder, speech, OTHER_SPEAKERS), lanes)[0] == ["cluster"]
    assert again(work_in(job.folder, speech, Settings(accuracy_threshold=0.1)), lanes)[0] == ["cluster"], "of the first settings"


def test_without_diarization_its_artefacts_are_left_alone(job, speech, lanes):
    ran, products = again(work_in(job.folder, speech, Settings(stages=Stages(diarize=False))), lanes)
    assert ran == ["plan"]
    assert products.diarization is None
    assert (job.folder / "turns.json").exists()


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("turns.json", ["cluster"]),
        ("embeddings.npz", ["embed", "cluster"]),
        ("fast.json", ["transcribe"]),
        ("vad.json", ["vad"]),
        ("plan.stamp", ["plan"]),
        ("turns.stamp", ["cluster"]),
    ],
)
def test_a_damaged_artefact_is_made_again(job, everything_done, lanes, file, expected):
    path = job.folder / file
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    ran, products = again(job, lanes)
    assert ran[0] == expected[0]
    assert set(ran) <= set(expected)
    assert products.recognition == everything_done[1].recognition
    assert products.diarization == everything_done[1].diarization
    assert again(job)[0] == []


def test_the_sound_is_decoded_again_only_for_a_stage_that_needs_it(job, lanes):
    artefacts.drop_large(job.folder, STAGES)
    (job.folder / "embeddings.npz").unlink()
    assert again(job, lanes)[0] == ["decode", "embed"], "the same embeddings give the same turns"


def test_a_stage_that_was_cut_short_leaves_no_stamp_that_fits_other_settings(job, speech, lanes):
    def half_done(task: StageTask) -> None:
        (job.folder / "turns.json").write_bytes(b'{"turns": []}')
        raise WorkerCrashed("It was killed when the file was written and not stamped.")

    with pytest.raises(WorkerCrashed):
        again(work_in(job.folder, speech, OTHER_SPEAKERS), cluster=half_done)
    ran, products = again(job, lanes)
    assert ran == ["cluster"]
    assert products.diarization is not None
    assert products.diarization.turns


def test_the_lanes_hear_which_models_are_still_to_be_loaded_and_when_none_are(job):
    artefacts.forget(job.folder, TRANSCRIBE)
    followed = Followed(None, instead={"transcribe": lambda _task: {}})
    asyncio.run(run_stages(job, followed, lambda _progress: None))
    asr = json.loads((job.folder / "plan.stamp").read_bytes())["result"]["asr"]["name"]
    assert followed.expected == [{}, {Lane.TRANSCRIBE: [asr]}, {}, {}]


# -- what goes wrong


@pytest.mark.parametrize(
    "plan",
    [
        *({}, {"asr": None, "vad": {}, "embedding": {}}, {"asr": [], "vad": 3, "embedding": "x"}),
        {"asr": {}, "vad": {}, "embedding": {}, "refine": 1},
    ],
)
def test_a_plan_that_makes_no_sense_is_a_crash_and_not_kept(tmp_path, speech, plan):
    work = work_in(tmp_path, speech)
    with pytest.raises(WorkerCrashed, match="no model for"):
        again(work, plan=lambda _task: plan)
    assert artefacts.read(tmp_path, PLAN) is None


@pytest.mark.parametrize(
    "words",
    [
        [],
        {},
        {"language": "en", "segments": [{"start": 0}]},
        {"language": "en", "segments": [{"start": 10**400, "end": 1, "words": []}]},
    ],
    ids=["list", "empty", "incomplete", "beyond all numbers"],
)
def test_an_artefact_that_makes_no_sense_is_a_crash_and_made_again(job, lanes, words):
    def nonsense(task: StageTask) -> dict[str, Any]:
        (job.folder / "fast.json").write_text(json.dumps(words))
        return {}

    artefacts.forget(job.folder, TRANSCRIBE)
    with pytest.raises(WorkerCrashed, match="cannot be read"):
        again(job, transcribe=nonsense)
    assert artefacts.read(job.folder, TRANSCRIBE) is None
    assert artefacts.read(job.folder, PLAN) is not None, "the models stay what they were chosen to be"
    assert artefacts.read(job.folder, DECODE) is not None


def test_a_stage_that_leaves_no_artefact_has_crashed(tmp_path, speech):
    work = work_in(tmp_path, speech)
    model = {"name": "x"}
    plan = {"asr": model, "vad": model, "embedding": model}
    with pytest.raises(WorkerCrashed, match="decode ended without its result"):
        again(work, plan=lambda _task: plan, decode=lambda _task: {"duration": 4.0})


def test_when_a_model_is_missing_the_models_are_chosen_again_next_time(job, lanes):
    artefacts.forget(job.folder, TRANSCRIBE)
    with pytest.raises(ModelError):
        again(job, transcribe=raising(ModelError("It was removed.")))
    assert again(job, lanes)[0] == ["plan", "transcribe"]


def test_a_permanent_error_decides_among_several_and_the_other_stages_are_cancelled(job):
    cancelled: list[str] = []

    async def wait(task: StageTask) -> None:
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            cancelled.append(task.kind)
            raise WorkerCrashed("It died of it.") from None

    async def fail(_task: StageTask) -> None:
        await asyncio.sleep(0.01)
        raise DamagedRecording("It is damaged.")

    artefacts.forget(job.folder, TRANSCRIBE)
    (job.folder / "embeddings.npz").unlink()
    with pytest.raises(TraxError) as raised:
        again(job, transcribe=wait, embed=fail)
    assert type(raised.value) is DamagedRecording
    assert cancelled == ["transcribe"]


def test_a_cancellation_is_not_lost_when_a_stage_fails_of_it(job):
    async def die(_task: StageTask) -> None:
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            raise WorkerCrashed("Its process was ended with ours.") from None

    async def main() -> None:
        running = asyncio.create_task(run_stages(job, Followed(None, instead={"transcribe": die}), lambda _progress: None))
        await asyncio.sleep(0.05)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    artefacts.forget(job.folder, TRANSCRIBE)
    asyncio.run(main())
    assert artefacts.read(job.folder, TRANSCRIBE) is None


def test_what_is_done_before_a_cancellation_stays_done(tmp_path, speech, lanes, everything_done):
    folder = tmp_path / "job"
    shutil.copytree(everything_done[0], folder)
    job = work_in(folder, speech)
    for stage in (TRANSCRIBE, DECODE):
        artefacts.forget(folder, stage)

    async def main() -> None:
        async with lanes(max_workers=1) as local:
            followed = Followed(local, instead={"transcribe": lambda _task: asyncio.sleep(30)})
            running = asyncio.create_task(run_stages(job, followed, lambda _progress: None))
            async with asyncio.timeout(20):
                while artefacts.read(folder, DECODE) is None:  # noqa: ASYNC110 - what it looks at is a file
                    await asyncio.sleep(0.01)
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running

    asyncio.run(main())
    assert again(job, lanes)[0] == ["transcribe"]


# -- only the speakers


def test_where_only_the_speakers_are_sought_anew_all_else_is_taken_as_it_lies(job, lanes):
    for name in ("plan", "fast", "vad"):
        path = job.folder / f"{name}.stamp"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"stamp": "of another time"}))
    again_sought = replace(job, settings=snapshot(OTHER_SPEAKERS), only_speakers=True)
    ran, products = again(again_sought, lanes)
    assert ran == ["cluster"]
    assert products.second_pass_error is None
    assert again(again_sought)[0] == [], "and once is enough"


def test_where_what_they_need_is_gone_nothing_is_heard_again(job):
    (job.folder / "fast.json").write_bytes(b"other")
    with pytest.raises(JobError, match="What the stage transcribe made"):
        again(replace(job, only_speakers=True))
