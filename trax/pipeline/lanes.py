"""The lanes: where stages run. `Lanes` is all the rest of Trax knows of it; `LocalLanes` runs them in processes on this machine."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from loguru import logger

from trax import errors
from trax.config import Settings
from trax.pipeline.decoding import DecodeLimits, decode
from trax.pipeline.division import Division, divide
from trax.pipeline.process import ChildProcess
from trax.pipeline.stages import Lane

#: How long a worker may take to give a task up before it is killed, seconds.
_CANCEL_GRACE = 3.0
#: How long a worker may take to start, seconds: a cold disk on a busy machine is slow.
_START_SECONDS = 120.0
#: What a worker reserves beside what it uses, bytes: stacks and buffers of threads, freed pieces. Measured on whole conversations with the
#: built-in engines: 0.1 GiB with 2 threads, 0.22 with 16. The limit is on what is reserved, the share on what is used.
_RESERVE, _RESERVE_PER_THREAD = 256 << 20, 16 << 20
#: How people call the workers of a lane; one that serves both is just a worker.
_CALLED = {Lane.TRANSCRIBE: "transcription worker", Lane.DIARIZE: "diarization worker"}

OnProgress = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class StageTask:
    """One stage of one job as plain data: everything a lane needs, wherever it runs. `inputs` and `output` name files in `folder`."""

    kind: str
    lane: Lane
    job: str
    folder: str
    source: str
    extension: str
    inputs: Mapping[str, str]
    output: str | None
    settings: Mapping[str, Any]
    models: Mapping[str, Any]
    models_folder: str


@dataclass(frozen=True, slots=True)
class WorkerView:
    """A worker as `status` shows it; `cpu_seconds` since its start, `memory` in bytes."""

    lane: str
    pid: int
    is_busy: bool
    cpu_seconds: float
    memory: int


class Lanes(Protocol):
    """Runs stage tasks; follow one by its progress, cancel it by cancelling the awaiting task."""

    @property
    def transcribers(self) -> int:
        """How many jobs can be transcribed at once."""

    async def run(self, task: StageTask, on_progress: OnProgress) -> dict[str, Any]:
        """Do the task and return its small result. Raises errors of the tree.

        `on_progress` hears 0.0 when the work begins: before, the task may have waited for a worker.
        """

    async def close(self) -> None:
        """Let every worker go."""

    def workers(self) -> Sequence[WorkerView]:
        """The workers there are now."""


class _Worker:
    """One lane worker process, started when it is first needed and replaced when it dies."""

    def __init__(self, name: str, what: str, threads: int, share: int, hang_seconds: float) -> None:
        self.name = name
        self.threads = threads
        self._what = what
        self._share = share
        self.last_used = 0.0
        self.is_busy = False
        self._hang_seconds = hang_seconds
        self._child: ChildProcess | None = None
        self._ids = itertools.count(1)

    @property
    def child(self) -> ChildProcess | None:
        return self._child if self._child is not None and self._child.is_alive else None

    async def perform(self, task: StageTask, on_progress: OnProgress) -> dict[str, Any]:
        child = self.child or await self._start()
        task_id = next(self._ids)
        child.send(
            {
                "id": task_id,
                "kind": task.kind,
                "job": task.job,
                "folder": task.folder,
                "inputs": dict(task.inputs),
                "output": task.output,
                "settings": dict(task.settings),
                "models": dict(task.models),
                "models_folder": task.models_folder,
                "threads": self.threads,
            }
        )
        try:
            on_progress(0.0)
            return await child.answer(self._hang_seconds, on_progress, task_id)
        except errors.WorkerOutOfMemory as error:
            await self.close()  # which of its parts went without nobody knows
            what = f"The {self._what} needed more than the {self._share >> 20} MB of memory it is allowed."
            raise errors.WorkerOutOfMemory(what) from error
        except errors.TraxError:
            raise  # its own answer: it is free, or gone
        except BaseException:
            await self._take_back(child, task_id)
            raise

    async def _take_back(self, child: ChildProcess, task_id: int) -> None:
        """Nobody waits for the answer any more: leave no worker behind that is still at it."""
        child.send({"cancel": task_id})
        try:
            async with asyncio.timeout(_CANCEL_GRACE):
                await child.answer(self._hang_seconds, lambda _fraction: None, task_id)
        except errors.TraxError:
            pass  # it has given the task up, as it was asked
        except TimeoutError:
            await child.kill()
        except BaseException:
            await child.kill()
            raise

    async def _start(self) -> ChildProcess:
        limit = self._share + _RESERVE + self.threads * _RESERVE_PER_THREAD
        child = await ChildProcess.start("trax.worker.lane", f"--memory-bytes={limit}", what=self._what, threads=self.threads)
        self._child = child
        try:
            message = await child.receive(_START_SECONDS)
        except BaseException:
            await child.kill()
            raise
        if message is None:
            raise await child.crashed()
        if message.get("event") != "ready":
            raise await child.nonsense()
        logger.debug("{} worker started as process {}", self.name, child.pid)
        return child

    async def close(self) -> None:
        child, self._child = self._child, None  # at once: a task that comes while the process ends must get a new one
        if child is not None:
            await child.close()

    async def recycle(self) -> None:
        """Let the process go when it has grown over its share of the memory: the next task gets a fresh one."""
        if (view := self.view()) is not None and view.memory > self._share:
            logger.info("{} worker has grown to {:.0f} MB, over its share: replaced", self.name, view.memory / 1e6)
            await self.close()

    def view(self) -> WorkerView | None:
        if (child := self.child) is None:
            return None
        cpu_seconds, memory = child.usage()
        return WorkerView(self.name, child.pid, self.is_busy, cpu_seconds, memory)


class _Pool:
    """The workers of a lane; a task takes a free one, in order of asking."""

    def __init__(self, workers: Sequence[_Worker]) -> None:
        self.workers = workers
        self._free: asyncio.LifoQueue[_Worker] = asyncio.LifoQueue()  # the last used has its models warm
        for worker in reversed(workers):
            self._free.put_nowait(worker)

    async def run(self, task: StageTask, on_progress: OnProgress) -> dict[str, Any]:
        worker = await self._free.get()
        worker.is_busy = True
        try:
            return await worker.perform(task, on_progress)
        finally:
            try:
                await worker.recycle()
            finally:
                worker.is_busy = False
                worker.last_used = asyncio.get_running_loop().time()
                self._free.put_nowait(worker)

    async def let_idle_go(self, idle_seconds: float) -> None:
        now = asyncio.get_running_loop().time()
        for worker in self.workers:
            if worker.child is not None and not worker.is_busy and now - worker.last_used >= idle_seconds:
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
            transcribers = diarizer = _Pool([_Worker("lane", "worker", division.threads, share, hang_seconds)])
        else:
            names = [f"transcribe-{n}" for n in range(1, division.transcribers + 1)]
            what = _CALLED[Lane.TRANSCRIBE]
            transcribers = _Pool([_Worker(name, what, division.threads, share, hang_seconds) for name in names])
            diarizer = _Pool([_Worker("diarize", _CALLED[Lane.DIARIZE], 1, share, hang_seconds)])
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
            return await decode(Path(task.source), Path(task.folder) / task.output, task.extension, self._limits, on_progress)

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
