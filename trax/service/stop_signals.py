"""Being asked to stop, by SIGTERM or SIGINT: from the daemon's first line to its last the answer is a clean end, with status 0.

The first thing that is loaded, so it loads next to nothing itself.
"""

from __future__ import annotations

import contextlib
import os
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable, Iterator

_NUMBERS = (signal.SIGTERM, signal.SIGINT)


def leave_when_asked() -> None:
    """Before there is a loop to be asked, end at once: nothing is under way yet that would have to be ended first."""
    for number in _NUMBERS:
        signal.signal(number, _leave)


def ignore() -> None:
    """Once the process ends anyway, let nobody end it otherwise."""
    for number in _NUMBERS:
        signal.signal(number, signal.SIG_IGN)


@contextlib.contextmanager
def told_to(stop: Callable[[], None], loop: AbstractEventLoop) -> Iterator[None]:
    """Within, being asked to stop calls `stop` in the loop, which runs in the main thread; afterwards it has no effect any more.

    In place of the loop's own `add_signal_handler`: when a loop is closed, that gives the signals back the power to kill.
    """
    hears, tells = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def hear() -> None:
        os.read(hears, 1024)
        stop()

    loop.add_reader(hears, hear)
    signal.set_wakeup_fd(tells, warn_on_full_buffer=False)  # first: no signal falls between the former handler and this
    for number in _NUMBERS:
        signal.signal(number, _leave_it_to_the_loop)
        signal.siginterrupt(number, False)  # noqa: FBT003 - its own signature
    try:
        yield
    finally:
        ignore()
        signal.set_wakeup_fd(-1)
        loop.remove_reader(hears)
        for end in (hears, tells):
            os.close(end)


def _leave(_number: int, _frame: object) -> None:
    os._exit(0)  # an exception would be lost wherever one is swallowed, as in a destructor


def _leave_it_to_the_loop(_number: int, _frame: object) -> None:
    """What wakes the loop is the byte that Python itself writes; without a handler it would write none."""
