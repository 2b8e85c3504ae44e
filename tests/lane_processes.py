"""Lanes with real processes: making them busy, stopping them, and seeing that nothing of them is left."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import psutil

from trax.pipeline.lanes import StageTask
from trax.pipeline.local_lanes import LocalLanes

MINUTE = 60 * 2 * 16_000


def ignore(_fraction: float) -> None:
    pass


def minutes_of_silence(folder: Path, minutes: int = 8) -> None:
    """Sound that voice activity is busy with for longer than any test here."""
    with (folder / "pcm.raw").open("wb") as handle:
        handle.truncate(minutes * MINUTE)


async def until(is_true: Callable[[], object], seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not is_true():  # noqa: ASYNC110 - what it looks at is another process
            await asyncio.sleep(0.01)


async def stop(pid: int) -> None:
    """Have a process stand still, and wait until all its threads do: on a busy machine one may go on for a while, and hear what is sent."""
    os.kill(pid, signal.SIGSTOP)
    await until(lambda: all("\nState:\tT" in status.read_text() for status in Path(f"/proc/{pid}/task").glob("*/status")), 60.0)


async def begun(lanes: LocalLanes, task: StageTask) -> asyncio.Task[dict[str, object]]:
    """The task in hand, once its worker tells of progress."""
    moved = asyncio.Event()
    running = asyncio.create_task(lanes.run(task, lambda _fraction: moved.set()))
    moving = asyncio.create_task(moved.wait())
    await asyncio.wait([running, moving], timeout=30, return_when=asyncio.FIRST_COMPLETED)
    moving.cancel()
    assert not running.done()
    return running


def run(main: Callable[[], Awaitable[None]]) -> None:
    """Run, and see that no descriptor and no child is left."""
    files, children = psutil.Process().num_fds(), set(psutil.Process().children())
    asyncio.run(main())
    assert psutil.Process().num_fds() == files
    assert set(psutil.Process().children()) <= children
