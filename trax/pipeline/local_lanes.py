"""The lanes as processes on this machine."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from loguru import logger

from trax.config import Settings
from trax.pipeline.decoding import DecodeLimits, decode
from trax.pipeline.division import Division, divide
from trax.pipeline.lane_worker import LaneWorker
from trax.pipeline.lanes import OnProgress, StageTask, WorkerView
from trax.pipeline.stages import NOISE_REDUCTION, Lane, setting

#: How people call the workers of a lane; one that serves both is just a worker.
_CALLED = {Lane.TRANSCRIBE: "transcription worker", Lane.DIARIZE: "diarization worker"}

_Models = Sequence[Mapping[str, Any]]


class _Pool:
    """The workers of a lane; a task takes a free one, in order of asking."""

    def __init__(self, workers: Sequence[LaneWorker]) -> None:
        self.workers = workers
        self._free: asyncio.LifoQueue[LaneWorker] = asyncio.LifoQueue()  # the last used has its models warm
        for worker in reversed(workers):
            self._free.put_nowait(worker)
        #: Which models each job will still load here, in the order in which the jobs came.
        self._expected: dict[str, _Models] = {}

    async def run(self, task: StageTask, on_progress: OnProgress) -> dict[str, Any]:
        worker = await self._free.get()
        worker.job = task.job
        self._tell()
        try:
            return await worker.perform(task, on_progress)
        finally:
            try:
                await worker.recycle()
            finally:
                worker.job = None
                worker.last_used = asyncio.get_running_loop().time()
                self._free.put_nowait(worker)
                self._tell()

    def expect(self, job: str, models: _Models) -> None:
        if models:
            self._expected[job] = models
        else:
            self._expected.pop(job, None)
        self._tell()

    def _tell(self) -> None:
        for worker in self.workers:
            worker.want(self._wanted_of(worker))

    def _wanted_of(self, worker: LaneWorker) -> _Models:
        """First what the job asks for that it has in hand, and nothing of those that others have."""
        others = {other.job for other in self.workers if other is not worker}
        jobs = sorted((job for job in self._expected if job not in others), key=lambda job: job != worker.job)
        wanted: list[Mapping[str, Any]] = []
        for model in (model for job in jobs for model in self._expected[job]):
            if model not in wanted:
                wanted.append(model)
        return wanted

    async def let_idle_go(self, idle_seconds: float) -> None:
        now = asyncio.get_running_loop().time()
        for worker in self.workers:
            if worker.child is not None and worker.job is None and now - worker.last_used >= idle_seconds:
                logger.debug("{} worker idle for {:.0f} s: let go", worker.name, idle_seconds)
                await worker.close()


class LocalLanes:
    """Lanes as processes on this machine, divided as `division` says: processes, threads and memory."""

    def __init__(self, division: Division, *, hang_seconds: float, idle_seconds: float, limits: DecodeLimits) -> None:
        self._limits = replace(limits, silence_seconds=hang_seconds)
        self._idle_seconds = idle_seconds
        self._decoding = asyncio.Semaphore(1)
        share = int(division.share_gb * 2**30)
        if division.is_shared:
            transcribers = diarizer = _Pool([LaneWorker("lane", "worker", division.threads, share, hang_seconds)])
        else:
            names = [f"transcribe-{n}" for n in range(1, division.transcribers + 1)]
            what = _CALLED[Lane.TRANSCRIBE]
            transcribers = _Pool([LaneWorker(name, what, division.threads, share, hang_seconds) for name in names])
            diarizer = _Pool([LaneWorker("diarize", _CALLED[Lane.DIARIZE], 1, share, hang_seconds)])
        self._pools = {Lane.TRANSCRIBE: transcribers, Lane.DIARIZE: diarizer}
        self._workers = list(dict.fromkeys((*transcribers.workers, *diarizer.workers)))  # each once, where the lanes share one

    @property
    def transcribers(self) -> int:
        """How many jobs can be transcribed at once."""
        return len(self._pools[Lane.TRANSCRIBE].workers)

    async def run(self, task: StageTask, on_progress: OnProgress) -> dict[str, Any]:
        """Do the task where its lane says."""
        if task.lane is not Lane.DECODE:
            return await self._pools[task.lane].run(task, on_progress)
        async with self._decoding:
            assert task.output is not None
            on_progress(0.0)
            target = Path(task.folder) / task.output
            reduces_noise = bool(setting(task.settings, NOISE_REDUCTION))
            return await decode(Path(task.source), target, task.extension, self._limits, on_progress, reduces_noise=reduces_noise)

    def expect(self, job: str, models: Mapping[Lane, _Models]) -> None:
        """Tell the workers of each lane what they will be asked for."""
        for pool in set(self._pools.values()):
            wanted = [model for lane, several in models.items() if self._pools.get(lane) is pool for model in several]
            pool.expect(job, wanted)

    async def let_idle_go(self) -> None:
        """End the workers that had nothing to do for the set time."""
        for pool in set(self._pools.values()):
            await pool.let_idle_go(self._idle_seconds)

    async def close(self) -> None:
        """Let every worker go."""
        await asyncio.gather(*(worker.close() for worker in self._workers))

    def workers(self) -> Sequence[WorkerView]:
        """The workers that are alive now."""
        return [view for worker in self._workers if (view := worker.view()) is not None]


def local_lanes(settings: Settings) -> LocalLanes:
    """The lanes these settings ask for, on the cores this process may use."""
    division = divide(
        cores=len(os.sched_getaffinity(0)),
        max_workers=settings.max_workers,
        is_parallel=settings.parallel,
        memory_gb=settings.max_memory_gb,
    )
    return LocalLanes(
        division,
        hang_seconds=settings.workers.hang_seconds,
        idle_seconds=settings.workers.idle_seconds,
        limits=DecodeLimits(sound_seconds=settings.intake.max_duration_hours * 3600),
    )
