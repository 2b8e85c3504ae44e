"""Wake-ups from the file system. Watching is a hint that saves waiting; scanning is the truth."""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
from collections.abc import AsyncGenerator, Iterable, Mapping
from pathlib import Path
from typing import Literal

from loguru import logger
from watchfiles import Change, awatch

from trax.intake.mounts import file_system_of, is_eventless
from trax.intake.scan import walk

_POLL_SECONDS = 2.0
#: Events of so long are told together, milliseconds: a storm of them must not keep the daemon from its work.
_GATHER, _STEP = 200, 100
#: How often it is asked whether the inbox is still the folder that is watched, milliseconds.
_CHECK = 1000
_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
_PATH_MAX = 4096


async def changes(inbox: Path, how: Literal["auto", "events", "polling"]) -> AsyncGenerator[set[str], None]:
    """Sets of names, relative to the inbox, that something happened to; for ever. An empty set says only: look.

    Where events may be missing, by the settings or by the kind of the file system, it says so every other second. A watcher that cannot
    start (no inotify instances left, the folder gone) is started again, after a pause that doubles with each failure in a row; one that
    stood and ended (another folder came, went, or is the inbox now; a name that is not UTF-8), a second later.
    """
    pause = _PAUSE
    is_short = False
    while True:
        if how == "polling" or (how == "auto" and is_eventless(await asyncio.to_thread(file_system_of, inbox))):
            await asyncio.sleep(_POLL_SECONDS)
            yield set()
            continue
        stands = False
        try:
            identity, folders = await asyncio.to_thread(_laid_out, inbox)
            async with contextlib.aclosing(_events(folders, as_far_as_possible=is_short)) as batches:
                async for batch in batches:
                    if batch or not stands:  # the first, though it be empty: for what came before the watches stood
                        yield {path.removeprefix(f"{inbox}/") for _, path in batch}
                    stands, pause = True, _PAUSE
                    if await asyncio.to_thread(_is_laid_out_anew, inbox, identity, folders, batch):
                        break
        except ExceptionGroup as ended:
            # A watcher that stands ends with a name that is not UTF-8. A look into a folder of such a name is an event too: where there
            # is one, the inbox is in effect looked through every other second.
            logger.debug("The watcher of the inbox starts again: {}", ascii(ended.exceptions))
            pause = _PAUSE
        except (OSError, RuntimeError) as error:
            if type(error) is OSError and error.errno is None:  # so watchfiles says that a folder got no watch
                is_short = True
                logger.warning(
                    "The system allows no more watches (see fs.inotify.max_user_watches): what is dropped into some folders is only found "
                    "when the inbox is looked through: {}",
                    ascii(str(error)),
                )
            else:
                logger.warning("The watcher of the inbox failed and starts again in {:.0f} s: {}", pause, ascii(str(error)))
        yield set()
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


def _events(folders: Iterable[str], *, as_far_as_possible: bool) -> AsyncGenerator[set[tuple[Change, str]], None]:
    """What happens in these folders, an empty set for now and then nothing. Not recursive: that would follow links out of the inbox."""
    return awatch(
        *folders,
        watch_filter=None,
        debounce=_GATHER,
        step=_STEP,
        rust_timeout=_CHECK,
        yield_on_timeout=True,
        force_polling=False,
        recursive=False,
        ignore_permission_denied=as_far_as_possible,  # it ignores, in fact, whatever keeps a folder from being watched
    )


def _laid_out(inbox: Path) -> tuple[tuple[int, int], dict[str, None]]:
    """What tells the inbox from another folder in its place, and the folders in it that can be watched, itself first."""
    identity = _identity(inbox)
    # Paths stay text here: pathlib interns each name it is given. What keeps us out of a folder is told by the scan.
    paths = [f"{inbox}/{folder.relative}".rstrip("/") for folder in walk(inbox, {})]
    return identity, dict.fromkeys(filter(_can_be_watched, paths))


def _can_be_watched(path: str) -> bool:
    try:
        return len(path.encode()) < _PATH_MAX
    except UnicodeEncodeError:
        return False


def _is_laid_out_anew(inbox: Path, identity: tuple[int, int], folders: Mapping[str, None], batch: set[tuple[Change, str]]) -> bool:
    """Whether a folder came, went or was renamed. Raises FileNotFoundError when the inbox is gone."""
    # A watch holds on to the folder it began with: when another has taken its place we would wait in silence.
    return _identity(inbox) != identity or any(
        path in folders if change is Change.deleted else path not in folders and _is_folder(path) for change, path in batch
    )


def _is_folder(path: str) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except OSError:
        return False


def _identity(inbox: Path) -> tuple[int, int]:
    found = inbox.stat()
    return found.st_dev, found.st_ino
