"""Transcribing without a daemon: the same stages and lanes over files that stay where they are. For `trax-ctl transcribe` and `batch`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trax import files
from trax.config import Settings
from trax.errors import TraxError, UnreadableRecording, WorkerError
from trax.intake.names import extension_of, unique
from trax.intake.validate import validate
from trax.jobs.folders import StateFolders
from trax.jobs.job import new_job_id
from trax.jobs.outputs import RESULT_ENDING, SIDE_FOLDER, WORK_LOCK, is_in_outbox
from trax.log import about
from trax.pipeline import answer
from trax.pipeline.local_lanes import LocalLanes, local_lanes
from trax.pipeline.publish import publish, stage
from trax.pipeline.runner import Progress as StageProgress
from trax.pipeline.runner import Work, run_stages
from trax.pipeline.snapshots import snapshot_of
from trax.service.progress import Live, followed
from trax.service.threads import to_the_end

_SAMPLE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one recording is; `stage` is None while it waits for a worker.

    `speed` is audio time over processing time; CPU (per cent of a core) and memory (MB) are of all workers.
    """

    job: str
    name: str
    stage: str | None
    fraction: float
    speed: float | None
    cpu_percent: float | None
    memory_mb: float | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one recording: its outputs, or the error as plain values."""

    source: Path
    outputs: tuple[Path, ...]
    error: dict[str, Any] | None


class _Gauge:
    """CPU and memory of the workers, sampled now and then."""

    def __init__(self, lanes: LocalLanes) -> None:
        self._lanes = lanes
        self._at = time.monotonic()
        self._cpu_seconds = 0.0
        self.cpu_percent: float | None = None
        self.memory_mb: float | None = None

    def sample(self) -> None:
        now = time.monotonic()
        if now - self._at < _SAMPLE_SECONDS:
            return
        workers = self._lanes.workers()
        used = sum(worker.cpu_seconds for worker in workers)
        self.cpu_percent = max(0.0, 100 * (used - self._cpu_seconds) / (now - self._at))
        self.memory_mb = sum(worker.memory for worker in workers) / 2**20
        self._at, self._cpu_seconds = now, used


async def transcribe(
    recordings: Sequence[tuple[Path, str]], out: Path, settings: Settings, on_progress: Callable[[Progress], None]
) -> list[Outcome]:
    """Transcribe each file under its wanted name (relative to `out`); one that fails does not stop the others.

    A name that is taken by another recording becomes `name (2)`; outputs of the same recording are replaced. Raises StorageError
    when `out` cannot be written.
    """
    files.make_folder(out)
    lanes = local_lanes(settings)
    gauge = _Gauge(lanes)
    side_by_side = asyncio.Semaphore(lanes.transcribers + 1)

    async def one(source: Path, name: str) -> Outcome:
        async with side_by_side:
            return await _transcribe_one(source, name, out, settings, lanes, gauge, on_progress)

    try:
        return list(await asyncio.gather(*(one(source, name) for source, name in recordings)))
    finally:
        await lanes.close()


@contextlib.asynccontextmanager
async def _work_folder(out: Path, job: str) -> AsyncIterator[Path]:
    """Where the artefacts of a job lie, and its outputs until they are published. A daemon that starts over this outbox leaves it alone."""
    folder = out / SIDE_FOLDER / job
    files.make_folder(folder)
    try:
        with files.locked(folder / WORK_LOCK):
            yield folder
    finally:
        files.remove_tree(folder)
        files.remove_if_empty(folder.parent)  # the last one out


async def _transcribe_one(
    source: Path,
    name: str,
    out: Path,
    settings: Settings,
    lanes: LocalLanes,
    gauge: _Gauge,
    on_progress: Callable[[Progress], None],
) -> Outcome:
    job = new_job_id(time.time(), secrets.randbits(24))
    plain, digest, _ = snapshot_of(settings)
    began = time.time()
    with about(job):
        try:
            found = await asyncio.to_thread(validate, source, source.name, settings.intake, is_ours=False)
            if found is None:
                raise UnreadableRecording("Someone still writes to the file.", advice="Try again when the copy is done.")
            async with _work_folder(out, job) as folder:
                state = StateFolders(settings.state_folder)
                work = Work(
                    job=job,
                    folder=folder,
                    source=source,
                    extension=extension_of(source.name),
                    sha256=found.media_id,
                    settings=plain,
                    models_folder=state.models,
                    speakers_folder=state.speakers,
                    is_last_attempt=True,
                )
                products = await run_stages(work, lanes, _teller(job, name, gauge, on_progress))
                transcript = answer.transcript_of(
                    products,
                    job=job,
                    name=source.name,
                    sha256=found.media_id,
                    size=found.size,
                    settings=plain,
                    settings_hash=digest,
                    run={"started": began},
                )
                staged = await to_the_end(stage, out, f"{job}/outputs", answer.outputs_of(transcript, plain))
                free = unique(name, lambda wanted: _is_others(out, wanted, found.media_id))
                manifest = publish(out, folder, job, staged, lambda _is_taken: free)
                return Outcome(source, tuple(out / path for path in sorted(manifest.files)), None)
        except TraxError as error:
            return Outcome(source, (), {**error.as_dict(), "file": str(source)})
        except OSError as error:
            failure = WorkerError(f"{error.strerror or error}.", file=str(source), advice="Check the file and the output folder.")
            return Outcome(source, (), failure.as_dict())


def _teller(job: str, name: str, gauge: _Gauge, on_progress: Callable[[Progress], None]) -> Callable[[StageProgress], None]:
    live: Live | None = None

    def tell(progress: StageProgress) -> None:
        nonlocal live
        gauge.sample()
        live = followed(live, progress, now := time.monotonic())
        on_progress(Progress(job, name, live.stage, live.fraction, live.speed(now), gauge.cpu_percent, gauge.memory_mb))

    return tell


def _is_others(out: Path, name: str, sha256: str) -> bool:
    """Whether outputs under this name are there that are not of the recording with this SHA-256."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        return bool(json.loads((out / f"{name}{RESULT_ENDING}").read_bytes())["media"]["sha256"] != sha256)
    return is_in_outbox(out, name)
