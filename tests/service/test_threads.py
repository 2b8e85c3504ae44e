from __future__ import annotations

import asyncio
import threading

import pytest

from trax.service.threads import Threads, to_the_end


def test_it_rests_when_nothing_is_in_hand_also_what_nobody_waits_for_any_more() -> None:
    go_on = threading.Event()

    async def main() -> None:
        threads = Threads()
        asyncio.get_running_loop().set_default_executor(threads)
        await threads.rest()
        given_up = asyncio.create_task(asyncio.to_thread(go_on.wait))
        await asyncio.sleep(0.05)
        given_up.cancel()
        with pytest.raises(asyncio.CancelledError):
            await given_up
        resting = asyncio.create_task(threads.rest())
        await asyncio.sleep(0.05)
        assert not resting.done()
        go_on.set()
        async with asyncio.timeout(10):
            await resting

    asyncio.run(main())


def test_what_must_come_to_its_end_is_waited_for_when_cancelled() -> None:
    go_on, has_ended = threading.Event(), threading.Event()

    def work() -> None:
        go_on.wait(10)
        has_ended.set()

    async def main() -> None:
        task = asyncio.create_task(to_the_end(work))
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.sleep(0.05)
        assert not task.done()
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert has_ended.is_set()

    asyncio.run(main())
