from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Literal

import pytest

from trax.intake.watch import changes, file_system_of, is_eventless


async def hears(inbox: Path, how: Literal["events", "polling"], act: Callable[[], object], wanted: str) -> bool:
    """Whether `wanted` is told of within ten seconds of `act`, which is repeated because a watcher needs a moment to stand."""
    watcher = changes(inbox, how)

    async def repeat() -> None:
        while True:
            await asyncio.sleep(0.3)
            act()

    acting = asyncio.create_task(repeat())
    try:
        async with asyncio.timeout(10):
            async for names in watcher:
                if wanted in names:
                    return True
    except TimeoutError:
        return False
    finally:
        acting.cancel()
        await watcher.aclose()
    return False


@pytest.mark.parametrize("how", ["events", "polling"])
def test_changes_wake(tmp_path: Path, how: Literal["events", "polling"]) -> None:
    (tmp_path / "sub").mkdir()
    size = iter(range(1, 1000))
    assert asyncio.run(hears(tmp_path, how, lambda: (tmp_path / "sub/talk.mp3").write_bytes(b"x" * next(size)), "sub/talk.mp3"))


def test_it_survives_a_missing_inbox_a_name_that_is_not_utf8_and_another_folder_in_its_place(tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    size = iter(range(1, 1000))

    async def next_of(watcher: AsyncGenerator[set[str], None], wanted: set[str], act: Callable[[], object]) -> None:
        async def repeat() -> None:
            while True:
                act()
                await asyncio.sleep(0.4)

        acting = asyncio.create_task(repeat())
        while not (wanted <= (names := await anext(watcher)) and bool(wanted) == bool(names)):
            pass
        acting.cancel()

    def drop_undecodable() -> None:
        (Path(os.fsdecode(os.fsencode(inbox) + b"/caf\xe9.mp3"))).write_bytes(b"x")

    def replace_folder() -> None:
        inbox.rename(tmp_path / "former")
        inbox.mkdir()

    async def listen() -> None:
        watcher = changes(inbox, "events")
        async with asyncio.timeout(30):
            await next_of(watcher, set(), lambda: None)  # it is missing
            inbox.mkdir()
            await next_of(watcher, {"talk.mp3"}, lambda: (inbox / "talk.mp3").write_bytes(b"x" * next(size)))
            drop_undecodable()
            await next_of(watcher, set(), lambda: None)
            await next_of(watcher, {"talk.mp3"}, lambda: (inbox / "talk.mp3").write_bytes(b"x" * next(size)))
            replace_folder()
            await next_of(watcher, {"talk.mp3"}, lambda: (inbox / "talk.mp3").write_bytes(b"x" * next(size)))
        await watcher.aclose()

    asyncio.run(listen())


def test_network_file_systems_are_polled(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(
        "/dev/vda / ext4 rw 0 0\nserver:/x /srv/net\\040share nfs4 rw 0 0\nme@host: /srv/net\\040share/deep fuse.sshfs rw 0 0\n"
    )
    assert file_system_of(Path("/srv"), mounts) == "ext4"
    assert file_system_of(Path("/srv/net share/inbox"), mounts) == "nfs4"
    assert file_system_of(Path("/srv/net share/deep"), mounts) == "fuse.sshfs"
    assert [is_eventless(kind) for kind in ("ext4", "nfs4", "fuse.sshfs", "fuseblk", "")] == [False, True, True, False, False]
    assert file_system_of(tmp_path, tmp_path / "nothing") == ""
    assert file_system_of(Path("/proc")) == "proc"
