"""A task that nobody waits for any more: its worker gives it up or is replaced."""

from __future__ import annotations

import asyncio

import psutil
import pytest
from lane_processes import begun, ignore, minutes_of_silence, run, stop, until

from trax.pipeline import lane_worker
from trax.pipeline.stages import PLAN, VAD


def test_a_cancelled_task_is_given_up_by_its_worker_and_leaves_nothing(tmp_path, lanes, task, monkeypatch):
    minutes_of_silence(tmp_path)
    monkeypatch.setattr(lane_worker, "_CANCEL_GRACE", 60.0)  # on a busy machine it may take a while to do so

    async def main() -> None:
        async with lanes(max_workers=1) as local:
            busy = await begun(local, task(VAD))
            (first,) = local.workers()
            busy.cancel()
            with pytest.raises(asyncio.CancelledError):
                await busy
            assert await local.run(task(PLAN), ignore)
            (second,) = local.workers()
            assert second.pid == first.pid

    run(main)
    assert [path.name for path in tmp_path.iterdir()] == ["pcm.raw"]


def test_a_worker_that_does_not_give_its_task_up_is_replaced(tmp_path, lanes, task):
    minutes_of_silence(tmp_path)

    async def main() -> None:
        async with lanes(max_workers=1) as local:
            busy = await begun(local, task(VAD))
            (first,) = local.workers()
            await stop(first.pid)
            busy.cancel()
            with pytest.raises(asyncio.CancelledError):
                await busy
            assert not psutil.pid_exists(first.pid)
            assert await local.run(task(PLAN), ignore)

    run(main)


def test_cancelled_again_while_the_worker_gives_its_task_up_nobody_works_on(tmp_path, lanes, task):
    minutes_of_silence(tmp_path)

    async def main() -> None:
        async with lanes(max_workers=1) as local:
            busy = await begun(local, task(VAD))
            (first,) = local.workers()
            await stop(first.pid)
            busy.cancel()
            await asyncio.sleep(0.1)
            busy.cancel()
            with pytest.raises(asyncio.CancelledError):
                await busy
            await until(lambda: not psutil.pid_exists(first.pid))
            assert await local.run(task(PLAN), ignore)

    run(main)


def test_cancelled_while_its_worker_starts_the_task_is_gone_and_the_next_is_done(lanes, task):
    async def main() -> None:
        async with lanes(max_workers=1) as local:
            for seconds in (0.0, 0.01, 0.1):
                starting = asyncio.create_task(local.run(task(PLAN), ignore))
                await asyncio.sleep(seconds)
                starting.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await starting
            assert await local.run(task(PLAN), ignore)

    run(main)


def test_cancelled_while_it_waits_for_a_worker_a_task_does_not_take_one_along(tmp_path, lanes, task):
    minutes_of_silence(tmp_path)

    async def main() -> None:
        async with lanes(max_workers=1) as local:
            busy = await begun(local, task(VAD))
            waiting = asyncio.create_task(local.run(task(PLAN), ignore))
            await asyncio.sleep(0.05)
            busy.cancel()
            waiting.cancel()
            await asyncio.wait([busy, waiting])
            assert waiting.cancelled()
            assert await local.run(task(PLAN), ignore)

    run(main)


def test_a_follower_that_fails_leaves_no_worker_at_it(tmp_path, lanes, task):
    minutes_of_silence(tmp_path)

    def fail(_fraction: float) -> None:
        raise ZeroDivisionError

    async def main() -> None:
        async with lanes(max_workers=1) as local:
            with pytest.raises(ZeroDivisionError):
                await local.run(task(VAD), fail)
            assert await local.run(task(PLAN), ignore)

    run(main)
