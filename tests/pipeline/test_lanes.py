"""The lanes whose workers stay: one task after another, side by side, through crashes and idle times."""

from __future__ import annotations

import asyncio
import json
import os
import signal

import psutil
import pytest
from lane_processes import begun, ignore, minutes_of_silence, run, stop, until

from trax.errors import StorageError, WorkerCrashed, WorkerError, WorkerHung
from trax.pipeline.stages import PLAN, VAD, Lane


def test_a_worker_does_one_task_after_another(tmp_path, lanes, task):
    minutes_of_silence(tmp_path, minutes=0)

    async def main() -> None:
        async with lanes(max_workers=1) as local:
            assert local.workers() == []
            plan = await local.run(task(PLAN), ignore)
            assert plan["asr"]["kind"] == "asr"
            assert (await local.run(task(VAD), ignore)) == {"speech_seconds": 0}
            assert json.loads((tmp_path / "vad.json").read_bytes()) == {"speech": [], "duration": 0.0}
            (worker,) = local.workers()
            assert not worker.is_busy
            assert worker.memory > 1 << 20

    run(main)


def test_lanes_work_side_by_side(tmp_path, lanes, task):
    minutes_of_silence(tmp_path)

    async def main() -> None:
        async with lanes() as local:
            busy = await begun(local, task(VAD))
            assert await local.run(task(PLAN, lane=Lane.TRANSCRIBE), ignore)
            assert sorted((worker.lane, worker.is_busy) for worker in local.workers()) == [("diarize", True), ("transcribe-1", False)]
            busy.cancel()
            await asyncio.wait([busy])

    run(main)


def test_a_task_that_fails_leaves_its_worker_for_the_next(tmp_path, lanes, task):
    async def main() -> None:
        async with lanes(max_workers=1) as local:
            with pytest.raises(StorageError, match="decoded sound"):
                await local.run(task(VAD), ignore)  # there is no pcm.raw
            (first,) = local.workers()
            with pytest.raises(WorkerError, match="KeyError"):
                await local.run(task(VAD, inputs={}), ignore)
            await local.run(task(PLAN), ignore)
            (second,) = local.workers()
            assert first.pid == second.pid

    run(main)


def test_a_killed_worker_has_crashed_and_another_does_the_next_task(tmp_path, lanes, task):
    minutes_of_silence(tmp_path)

    async def main() -> None:
        async with lanes(max_workers=1) as local:
            busy = await begun(local, task(VAD))
            (first,) = local.workers()
            os.kill(first.pid, signal.SIGKILL)
            with pytest.raises(WorkerCrashed, match="SIGKILL"):
                await busy
            assert local.workers() == []
            assert await local.run(task(PLAN), ignore)
            (second,) = local.workers()
            assert second.pid != first.pid

    run(main)
    assert [path.name for path in tmp_path.iterdir()] == ["pcm.raw"]


def test_a_stopped_worker_is_hung_and_replaced(tmp_path, lanes, task):
    minutes_of_silence(tmp_path)

    async def main() -> None:
        async with lanes(max_workers=1, hang_seconds=3.0) as local:
            busy = await begun(local, task(VAD))
            (first,) = local.workers()
            await stop(first.pid)
            with pytest.raises(WorkerHung):
                await busy
            assert not psutil.pid_exists(first.pid)
            assert await local.run(task(PLAN), ignore)

    run(main)


def test_an_idle_worker_is_let_go_and_a_task_that_comes_meanwhile_gets_another(lanes, task):
    async def main() -> None:
        async with lanes(max_workers=1, idle_seconds=0.0) as local:
            await local.run(task(PLAN), ignore)
            (first,) = local.workers()
            await stop(first.pid)  # so that it takes its time to go
            letting_go = asyncio.create_task(local.let_idle_go())
            await asyncio.sleep(0.05)
            assert psutil.pid_exists(first.pid)
            assert await local.run(task(PLAN), ignore)
            await letting_go
            assert not psutil.pid_exists(first.pid)
            assert len(local.workers()) == 1

    run(main)


def test_a_worker_that_is_busy_or_was_just_used_is_not_let_go(tmp_path, lanes, task):
    minutes_of_silence(tmp_path)

    async def main() -> None:
        async with lanes(max_workers=1, idle_seconds=0.0) as local:
            busy = await begun(local, task(VAD))
            await local.let_idle_go()
            assert not busy.done()
            busy.cancel()
            await asyncio.wait([busy])
        async with lanes(max_workers=1, idle_seconds=60.0) as local:
            await local.run(task(PLAN), ignore)
            await local.let_idle_go()
            assert len(local.workers()) == 1

    run(main)


def test_a_worker_that_died_while_idle_costs_no_task_an_attempt(lanes, task):
    async def main() -> None:
        async with lanes(max_workers=1) as local:
            await local.run(task(PLAN), ignore)
            (worker,) = local.workers()
            os.kill(worker.pid, signal.SIGKILL)
            await until(lambda: not psutil.pid_exists(worker.pid))
            await asyncio.sleep(0.05)
            assert await local.run(task(PLAN), ignore)

    run(main)
