"""Work in a thread that must not be left behind."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")


async def to_the_end(function: Callable[_P, _T], *arguments: _P.args, **named: _P.kwargs) -> _T:
    """Run in a thread, and wait for it even when cancelled: what comes next must not meet it at work in the same folder."""
    work = asyncio.ensure_future(asyncio.to_thread(function, *arguments, **named))
    try:
        return await asyncio.shield(work)
    finally:
        await asyncio.wait([work])
