"""The daemon: puts the parts together, keeps the loops turning, and stops them in good order.

When one of the loops ends with an error, all are stopped and the daemon ends with that error. systemd then
starts a new one, which recovers; a daemon that limped on without, say, its ledger would be worse.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

from loguru import logger

from trax import __version__, disk, files
from trax.config import Settings
from trax.errors import DaemonBusy, StorageError
from trax.intake.watch import changes
from trax.jobs.folders import StateFolders
from trax.jobs.job import Status
from trax.jobs.ledger import Ledger
from trax.jobs.seen import Seen
from trax.pipeline.local_lanes import local_lanes
from trax.service import retaking, retention, steady, stop_signals
from trax.service.commands import Commands
from trax.service.control import ControlServer
from trax.service.heartbeat import ComesRound, Heartbeat, feed_watchdog
from trax.service.notify import notify
from trax.service.purging import Purger
from trax.service.receiving import Receiver
from trax.service.recovering import recover
from trax.service.room import LOOK_AGAIN
from trax.service.threads import Threads, to_the_end
from trax.service.working import Workshop

_HOUSEKEEPING_SECONDS = 5.0
#: How often systemd is asked to wait on while Trax recovers, and for how long, seconds: a recording of gigabytes may be half copied.
_EXTEND_EVERY, _EXTENSION = 10.0, 60.0
#: How long a stop may take, seconds. A worker gets 3 s to give its task up; what a thread still copies, hashes or syncs is not waited for.
_STOP_SECONDS = 7.0


class Daemon:
    """One Trax over one root folder. The caller holds the lock of the state folder."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._folders = StateFolders(settings.state_folder)
        self._folders.make()
        files.make_folder(settings.inbox_folder, 0o770)  # whoever shares our group may drop recordings
        files.make_folder(settings.outbox_folder)
        self._ledger = Ledger(self._folders.ledger)
        self._seen = Seen(self._folders.ledger / "seen.log")
        self._lanes = local_lanes(settings)
        self._threads = Threads()
        self._heartbeat = Heartbeat()
        self._workshop = Workshop(settings, self._folders, self._ledger, self._seen, self._lanes)
        self._receiver = Receiver(settings, self._folders, self._ledger, self._seen, self._workshop)
        purger = Purger(settings, self._folders, self._ledger, self._seen)
        self._commands = Commands(settings, self._folders, self._ledger, self._workshop, self._receiver, purger, self._lanes)
        self._control = ControlServer(settings.socket_path, self._handle)
        #: What the start waits for; None once it is over.
        self._start_waits_for: StorageError | None = None

    async def run(self) -> None:
        """Work until SIGTERM or SIGINT. Raises the TraxError that made going on impossible."""
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.set_default_executor(self._threads)
        with stop_signals.told_to(stop.set, loop):
            await self._run_until(stop)

    async def _run_until(self, stop: asyncio.Event) -> None:
        stopped = asyncio.create_task(stop.wait())
        tasks = [asyncio.create_task(self._begin())]
        first, _ = await asyncio.wait([*tasks, stopped], return_when=asyncio.FIRST_COMPLETED)
        if stopped not in first and _failure(first) is None:
            tasks = self._loops()
            first, _ = await asyncio.wait([*tasks, stopped], return_when=asyncio.FIRST_COMPLETED)
        logger.info("stopping")
        notify(STOPPING=1)
        for task in (*tasks, stopped):
            task.cancel()
        # What ended the first of them is the reason; what the others met while they were stopped may follow from it.
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                await asyncio.wait(tasks)
                self._control.close()
                await self._lanes.close()
                await self._threads.rest()
        except TimeoutError:
            self._leave(_failure([*first, *tasks]))
        if (failure := _failure([*first, *tasks])) is not None:
            raise failure
        logger.info("stopped")

    async def _begin(self) -> None:
        """Put everything right, which may take as long as copying a recording does, then be there for all. Raises TraxError."""
        extending = asyncio.create_task(_extend_start())
        try:
            while not await self._is_put_right():  # noqa: ASYNC110 - nothing tells when the disk is ready
                await asyncio.sleep(LOOK_AGAIN)
        finally:
            extending.cancel()
        if self._start_waits_for is None:
            await self._control.start()
        self._start_waits_for = None
        steady.take_stock()
        notify(READY=1, STATUS="Watching the inbox")
        logger.info("traxd {} watches {}", __version__, self._settings.inbox_folder)

    async def _is_put_right(self) -> bool:
        """False when the disk does not let us begin (full, read-only): then the socket says so, and what was begun can be begun again."""
        try:
            await asyncio.to_thread(self._put_right)
        except StorageError as error:
            if self._start_waits_for is None:
                logger.error("the start waits for the disk: {}", error)
                await self._control.start()
            self._start_waits_for = error
            return False
        return True

    async def _handle(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        if (waits_for := self._start_waits_for) is not None:
            raise DaemonBusy(f"traxd waits for the disk to start. {waits_for.what}", file=waits_for.file, advice=waits_for.advice)
        return await self._commands.handle(request)

    def _put_right(self) -> None:
        # Before anything is concluded from it: what a daemon that was killed had done and not synced would be undone by a power cut.
        for folder in (self._settings.state_folder, self._settings.inbox_folder, self._settings.outbox_folder):
            disk.sync_all(folder)
        recover(self._settings, self._folders, self._ledger, self._seen, self._workshop)
        self._commands.apply_requests()

    def _loops(self) -> list[asyncio.Task[None]]:
        parts = (
            self._workshop.run(self._heartbeat.of("the queue")),
            self._receive(self._heartbeat.of("the inbox")),
            self._keep_house(self._heartbeat.of("the housekeeping")),
            self._control.run(),
            feed_watchdog(self._heartbeat),
        )
        return [asyncio.create_task(part) for part in parts]

    def _leave(self, failure: BaseException | None) -> NoReturn:
        """End at once: Python itself would wait for its threads.

        Whatever they are still at (a copy, a hash, a sync of hours of sound) may be ended at any moment, that is what recovery is for. The
        lock is held until the process is gone, so the next daemon does not meet them at work.
        """
        logger.warning("stopped without waiting for what the disk still has to do: the next start does it again")
        if failure is not None:
            logger.critical("traxd stops: {}", failure)
        self._control.close()
        os._exit(0 if failure is None else 1)

    async def _receive(self, comes_round: ComesRound) -> None:
        """Scan whenever something stirs, and at the latest after the rescan time: watching is a hint, scanning is the truth."""
        intake = self._settings.intake
        wake = self._workshop.unexamined

        async def watch() -> None:
            async for names in changes(self._settings.inbox_folder, intake.watch):
                self._receiver.touch(names)
                wake.set()

        watcher = asyncio.create_task(watch())
        try:
            while True:
                wake.clear()
                pause = min(await self._receiver.look(comes_round), intake.rescan_seconds)
                comes_round(pause)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await wake.wait()
        finally:
            watcher.cancel()

    async def _keep_house(self, comes_round: ComesRound) -> None:
        days = self._settings.retention.archive_days
        next_removal = 0.0
        while True:
            comes_round(_HOUSEKEEPING_SECONDS)
            await self._lanes.let_idle_go()
            steady.let_go()
            if days is not None and time.monotonic() >= next_removal:
                # In threads: an archive of years takes its time, and meanwhile others have work to do.
                for folder in await asyncio.to_thread(retention.outdated, self._folders, days, time.time()):
                    comes_round(_HOUSEKEEPING_SECONDS)
                    await to_the_end(retention.remove, folder, days)
                next_removal = time.monotonic() + retention.pause(days)
            answered = self._ledger.by_status(Status.FAILED, Status.COMPLETED)
            for job in await asyncio.to_thread(retaking.went_on, answered, self._folders, time.time()):
                if self._ledger.get(job.id) == job:  # nobody asked for anything else meanwhile
                    retaking.retake(job, self._ledger, self._folders, time.time())
                    self._workshop.unexamined.set()
            await asyncio.sleep(_HOUSEKEEPING_SECONDS)


def _failure(tasks: Iterable[asyncio.Task[Any]]) -> BaseException | None:
    """What ended the first of these that ended by an error."""
    ended = (task for task in tasks if task.done() and not task.cancelled())
    return next((error for task in ended if (error := task.exception()) is not None), None)


async def _extend_start() -> None:
    """Have systemd wait on while Trax starts (sd_notify(3)): the time it gives a start is for one that has nothing to put right."""
    while True:
        await asyncio.sleep(_EXTEND_EVERY)
        notify(EXTEND_TIMEOUT_USEC=int(_EXTENSION * 1e6), STATUS="Putting right what was left behind")
