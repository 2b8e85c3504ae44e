"""Signs of life: who watches the daemon hears from it only while each of its loops comes round.

A task that fed the watchdog by itself would go on feeding it while another loop is stuck. So each loop says, whenever it comes round, by
when it will again; what it lawfully has in hand (a recording of many gigabytes to copy) it announces with the time that may take.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from loguru import logger

from trax.service.notify import notify, watchdog_seconds

#: What a loop may be late by, seconds: a disk that is waking up, a machine under load, a scan of a large inbox.
_LATE = 60.0
#: Bytes a second that the slowest disk or share that Trax works with reads and copies.
_SLOWEST = 1 << 20

#: Tells that a loop comes round, and will again within so many seconds.
ComesRound = Callable[[float], None]


def seconds_for(size: float) -> float:
    """How long it may take to read or copy so many bytes."""
    return size / _SLOWEST


class Heartbeat:
    """By when each loop is to come round again. Pure but for the clock that it is given: seconds that only go forward."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._due: dict[str, float] = {}

    def of(self, loop: str) -> ComesRound:
        """What the loop calls whenever it comes round. It counts from now on."""

        def comes_round(seconds: float) -> None:
            self._due[loop] = self._clock() + seconds + _LATE

        comes_round(0.0)
        return comes_round

    def late(self) -> tuple[str, ...]:
        """The loops that should have come round by now."""
        now = self._clock()
        return tuple(loop for loop, due in self._due.items() if due < now)


async def feed_watchdog(heartbeat: Heartbeat) -> None:
    """Tell systemd that all is well as long as it is. It runs in the loop itself: a loop that is blocked is silent, too."""
    seconds = watchdog_seconds() or 3600.0
    told: tuple[str, ...] = ()
    while True:
        if not (late := heartbeat.late()):
            notify(WATCHDOG=1)
        elif late != told:
            logger.critical("does not come round any more: {}; the watchdog is not fed", ", ".join(late))
        told = late
        await asyncio.sleep(seconds / 3)
