"""Work in threads: what must not be left behind, and what may be when Trax stops."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")

#: How many calls run at once: the inbox, the archive, and a few jobs that wait for the disk.
_MOST = 8


class Threads(ThreadPoolExecutor):
    """The threads behind `asyncio.to_thread`, as the default executor of a loop; knows what they have in hand."""

    def __init__(self) -> None:
        super().__init__(_MOST, "trax")
        self._calls: set[Future[Any]] = set()

    def submit(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        """As the executor's."""
        call = super().submit(fn, *args, **kwargs)
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)
        return call

    async def rest(self) -> None:
        """Wait until nothing is in hand."""
        while calls := [asyncio.wrap_future(call) for call in tuple(self._calls)]:
            await asyncio.wait(calls)


async def to_the_end(function: Callable[_P, _T], *arguments: _P.args, **named: _P.kwargs) -> _T:
    """Run in a thread, and wait for it even when cancelled: what comes next must not meet it at work in the same folder."""
    work = asyncio.ensure_future(asyncio.to_thread(function, *arguments, **named))
    try:
        return await asyncio.shield(work)
    finally:
        await asyncio.wait([work])
