"""One lane worker as the supervisor sees it: started when it is first needed, given one task at a time, replaced when it dies."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from loguru import logger

from trax import errors
from trax.pipeline.lanes import CacheView, OnProgress, StageTask, WorkerView
from trax.pipeline.process import ChildProcess

#: How long a worker may take to give a task up before it is killed, seconds.
_CANCEL_GRACE = 3.0
#: How long a worker may take to start, seconds: a cold disk on a busy machine is slow.
_START_SECONDS = 120.0
#: What a worker reserves beside what it uses, bytes: stacks and buffers of threads, freed pieces. Measured on whole conversations with the
#: built-in engines: 0.1 GiB with 2 threads, 0.22 with 16. The limit is on what is reserved, the share on what is used.
_RESERVE, _RESERVE_PER_THREAD = 256 << 20, 16 << 20
#: What of its share a worker leaves free of models, bytes, for what it works on: sound, mel frames, words. Embedding takes most, 75 MB.
_WORKING = 128 << 20

_Models = Sequence[Mapping[str, Any]]


class LaneWorker:
    """A worker process or the place of one. `what` names it for people; `share` is the memory it may keep, in bytes."""

    def __init__(self, name: str, what: str, threads: int, share: int, hang_seconds: float) -> None:
        self.name = name
        self.threads = threads
        self._what = what
        self._share = share
        self.last_used = 0.0
        #: The job whose task is in hand.
        self.job: str | None = None
        self._hang_seconds = hang_seconds
        self._child: ChildProcess | None = None
        self._cache: CacheView | None = None
        #: Hears what the process says of its models while it has no task.
        self._listening: asyncio.Task[None] | None = None
        #: Which models it will be asked for, as far as one can tell, the soonest first: it keeps them before others, or loads them ahead.
        self.wanted: _Models = ()
        self._ids = itertools.count(1)

    @property
    def child(self) -> ChildProcess | None:
        """The process, while there is one."""
        return self._child if self._child is not None and self._child.is_alive else None

    def want(self, models: _Models) -> None:
        """Tell it which models it will be asked for."""
        if models == self.wanted:
            return
        self.wanted = models
        if (child := self.child) is not None:
            child.send({"keep": models})  # one that is started yet hears it with its first task

    async def perform(self, task: StageTask, on_progress: OnProgress) -> dict[str, Any]:
        """Have the task done. Raises as `Lanes.run`."""
        try:
            return await self._perform(task, on_progress)
        except errors.WorkerOutdated:  # another build of whisper.cpp is used from this job on
            await self.close()
            return await self._perform(task, on_progress)

    async def _perform(self, task: StageTask, on_progress: OnProgress) -> dict[str, Any]:
        await self._stop_listening()
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
                "voices": list(task.voices),
                "keep": self.wanted,
            }
        )
        try:
            on_progress(0.0)
            return await child.answer(self._hang_seconds, on_progress, task_id, self._hear)
        except errors.WorkerOutOfMemory as error:
            await self.close()  # which of its parts went without nobody knows
            what = f"The {self._what} needed more than the {self._share >> 20} MB of memory it is allowed."
            raise errors.WorkerOutOfMemory(what) from error
        except errors.TraxError:
            raise  # its own answer: it is free, or gone
        except BaseException:
            await self._take_back(child, task_id)
            raise
        finally:
            self._listen()

    def _listen(self) -> None:
        if (child := self.child) is not None:
            self._listening = asyncio.create_task(self._follow(child))

    async def _follow(self, child: ChildProcess) -> None:
        with contextlib.suppress(errors.WorkerCrashed):  # the next task gets another
            await child.listen(self._hear)

    async def _stop_listening(self) -> None:
        """Two may not read what a process says: `StreamReader` allows one."""
        listening, self._listening = self._listening, None
        if listening is not None:
            listening.cancel()
            await asyncio.wait([listening])

    def _hear(self, report: Mapping[str, Any]) -> None:
        self._cache = CacheView.from_plain(report)

    async def _take_back(self, child: ChildProcess, task_id: int) -> None:
        """Nobody waits for the answer any more: leave no worker behind that is still at it."""
        child.send({"cancel": task_id})
        try:
            async with asyncio.timeout(_CANCEL_GRACE):
                await child.answer(self._hang_seconds, lambda _fraction: None, task_id, self._hear)
        except errors.TraxError:
            pass  # it has given the task up, as it was asked
        except TimeoutError:
            await child.kill()
        except BaseException:
            await child.kill()
            raise

    async def _start(self) -> ChildProcess:
        limit = self._share + _RESERVE + self.threads * _RESERVE_PER_THREAD
        budget = max(0, self._share - _WORKING)
        options = (f"--memory-bytes={limit}", f"--budget-bytes={budget}", f"--threads={self.threads}")
        child = await ChildProcess.start("trax.worker.lane", *options, what=self._what, threads=self.threads)
        self._child, self._cache = child, None
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
        """Let the process go, if there is one."""
        child, self._child = self._child, None  # at once: a task that comes while the process ends must get a new one
        if self._listening is not None:
            self._listening.cancel()
        if child is not None:
            await child.close()

    async def recycle(self) -> None:
        """Let the process go when it has grown over its share of the memory: the next task gets a fresh one."""
        if (view := self.view()) is not None and view.memory > self._share:
            logger.info("{} worker has grown to {:.0f} MB, over its share: replaced", self.name, view.memory / 1e6)
            await self.close()

    def view(self) -> WorkerView | None:
        """What `status` shows of it, while there is a process."""
        if (child := self.child) is None:
            return None
        cpu_seconds, memory = child.usage()
        return WorkerView(self.name, child.pid, self.job is not None, cpu_seconds, memory, self._cache)
