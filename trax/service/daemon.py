"""The daemon: puts the parts together, keeps the loops turning, and stops them in good order.

When one of the loops ends with an error, all are stopped and the daemon ends with that error. systemd then
starts a new one, which recovers; a daemon that limped on without, say, its ledger would be worse.
"""

from __future__ import annotations

import asyncio
import signal
import time

from loguru import logger

from trax import __version__, files
from trax.config import Settings
from trax.intake.watch import changes
from trax.jobs.folders import StateFolders
from trax.jobs.ledger import Ledger
from trax.jobs.seen import Seen
from trax.pipeline.lanes import local_lanes
from trax.service.commands import Commands
from trax.service.control import ControlServer
from trax.service.notify import notify, watchdog_seconds
from trax.service.purging import Purger
from trax.service.receiving import Receiver
from trax.service.recovering import recover
from trax.service.retention import remove_outdated
from trax.service.working import Workshop

_HOUSEKEEPING_SECONDS = 5.0
_RETENTION_SECONDS = 3600.0


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
        self._workshop = Workshop(settings, self._folders, self._ledger, self._seen, self._lanes)
        self._receiver = Receiver(settings, self._folders, self._ledger, self._seen, self._workshop)
        purger = Purger(settings, self._folders, self._ledger, self._seen)
        self._commands = Commands(settings, self._folders, self._ledger, self._workshop, purger, self._lanes)
        self._control = ControlServer(settings.socket_path, self._commands.handle)

    async def run(self) -> None:
        """Work until SIGTERM or SIGINT. Raises the TraxError that made going on impossible."""
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        self._make_durable()
        recover(self._settings, self._folders, self._ledger, self._seen, self._workshop)
        self._commands.apply_requests()
        await self._control.start()
        notify(READY=1, STATUS="Watching the inbox")
        logger.info("traxd {} watches {}", __version__, self._settings.inbox_folder)
        parts = (self._workshop.run(), self._receive(), self._keep_house(), self._control.run(), _feed_watchdog())
        loops = [asyncio.create_task(part) for part in parts]
        stopped = asyncio.create_task(stop.wait())
        first, _ = await asyncio.wait([*loops, stopped], return_when=asyncio.FIRST_COMPLETED)
        logger.info("stopping")
        notify(STOPPING=1)
        for task in (*loops, stopped):
            task.cancel()
        await asyncio.gather(*loops, return_exceptions=True)
        await self._control.close()
        await self._lanes.close()
        # What ended the first of them is the reason; what the others met while they were stopped may follow from it.
        for task in (*first, *loops):
            if not task.cancelled() and (error := task.exception()) is not None:
                raise error
        logger.info("stopped")

    def _make_durable(self) -> None:
        """Before anything is concluded from it: what a daemon that was killed had done and not synced would be undone by a power cut."""
        for folder in (self._settings.state_folder, self._settings.inbox_folder, self._settings.outbox_folder):
            files.sync_all(folder)

    async def _receive(self) -> None:
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
                pause = await self._receiver.look()
                try:
                    async with asyncio.timeout(min(pause, intake.rescan_seconds)):
                        await wake.wait()
                except TimeoutError:
                    continue
        finally:
            watcher.cancel()

    async def _keep_house(self) -> None:
        next_removal = 0.0
        while True:
            await self._lanes.let_idle_go()
            if time.monotonic() >= next_removal:
                remove_outdated(self._folders, self._settings.retention.archive_days, time.time())
                next_removal = time.monotonic() + _RETENTION_SECONDS
            await asyncio.sleep(_HOUSEKEEPING_SECONDS)


async def _feed_watchdog() -> None:
    """Tell systemd that the loop turns: it is fed from the loop itself, so a loop that hangs is caught."""
    seconds = watchdog_seconds() or float("inf")
    while True:
        notify(WATCHDOG=1)
        await asyncio.sleep(min(seconds / 3, 3600.0))
