from __future__ import annotations

import asyncio
import itertools
import re
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Literal

import pytest

from trax.intake.mounts import file_system_of, is_eventless
from trax.intake.watch import changes


def watched_inodes() -> set[int]:
    told = "".join(path.read_text() for path in Path("/proc/self/fdinfo").iterdir() if path.exists())
    return {int(number, 16) for number in re.findall(r"^inotify wd:\S+ ino:(\S+)", told, re.MULTILINE)}


def growing(path: Path) -> Callable[[], object]:
    """What makes the file longer each time."""
    sizes = itertools.count(1)
    return lambda: path.write_bytes(b"x" * next(sizes))


async def hears(inbox: Path, how: Literal["events", "polling"], act: Callable[[], object], wanted: str) -> bool:
    """Whether `wanted` is told of within half a minute of `act`, which is repeated because a watcher needs a moment to stand."""
    watcher = changes(inbox, how)

    async def repeat() -> None:
        while True:
            await asyncio.sleep(0.3)
            act()

    acting = asyncio.create_task(repeat())
    try:
        async with asyncio.timeout(30):
            async for names in watcher:
                if wanted in names:
                    return True
    except TimeoutError:
        return False
    finally:
        acting.cancel()
        await watcher.aclose()
    return False


def test_events_wake(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    assert asyncio.run(hears(tmp_path, "events", growing(tmp_path / "sub/talk.mp3"), "sub/talk.mp3"))


def test_a_folder_that_came_later_or_got_another_name_is_watched(tmp_path: Path) -> None:
    inbox, outside = tmp_path / "inbox", tmp_path / "outside"
    (outside / "new" / "deep").mkdir(parents=True)
    inbox.mkdir()

    def act() -> None:
        if (outside / "new").exists():
            (outside / "new").rename(inbox / "came")
        elif (inbox / "came").exists():
            (inbox / "came").rename(inbox / "called otherwise")
        else:
            grow()

    grow = growing(inbox / "called otherwise/deep/talk.mp3")
    assert asyncio.run(hears(inbox, "events", act, "called otherwise/deep/talk.mp3"))


def test_what_a_link_leads_to_is_not_watched(tmp_path: Path) -> None:
    inbox, outside = tmp_path / "inbox", tmp_path / "outside"
    (outside / "deep").mkdir(parents=True)
    inbox.mkdir()
    (inbox / "link").symlink_to(outside)
    inodes = {path.stat().st_ino for path in (outside, outside / "deep")}

    async def watched() -> set[int]:
        watcher = changes(inbox, "events")
        await anext(watcher)
        found = watched_inodes()
        await watcher.aclose()
        return found

    found = asyncio.run(watched())
    assert inbox.stat().st_ino in found
    assert not found & inodes


def test_polling_wakes_by_itself(tmp_path: Path) -> None:
    async def listen() -> list[set[str]]:
        watcher = changes(tmp_path / "missing", "polling")
        async with asyncio.timeout(30):
            woken = [await anext(watcher) for _ in range(2)]
        await watcher.aclose()
        return woken

    assert asyncio.run(listen()) == [set(), set()]


def test_it_survives_a_missing_inbox_a_name_that_is_not_utf8_and_another_folder_in_its_place(tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"

    async def next_of(watcher: AsyncGenerator[set[str], None], is_wanted: Callable[[set[str]], bool], act: Callable[[], object]) -> None:
        async def repeat() -> None:
            while True:
                act()
                await asyncio.sleep(0.4)

        acting = asyncio.create_task(repeat())
        while not is_wanted(await anext(watcher)):
            pass
        acting.cancel()

    def tells_of_talk(names: set[str]) -> bool:
        return "talk.mp3" in names

    async def listen() -> None:
        watcher = changes(inbox, "events")
        async with asyncio.timeout(60):
            assert await anext(watcher) == set()  # it is missing
            inbox.mkdir()
            await next_of(watcher, tells_of_talk, growing(inbox / "talk.mp3"))
            await next_of(watcher, lambda names: not names, growing(inbox / "caf\udce9.mp3"))  # look, it says
            await next_of(watcher, tells_of_talk, growing(inbox / "talk.mp3"))
            inbox.rename(tmp_path / "former")
            inbox.mkdir()
            await next_of(watcher, tells_of_talk, growing(inbox / "talk.mp3"))
        await watcher.aclose()

    asyncio.run(listen())


def test_a_folder_whose_name_is_not_utf8_keeps_nobody_from_hearing_of_the_others(tmp_path: Path) -> None:
    (tmp_path / "caf\udce9" / "deep").mkdir(parents=True)
    (tmp_path / "sub").mkdir()
    assert asyncio.run(hears(tmp_path, "events", growing(tmp_path / "sub/talk.mp3"), "sub/talk.mp3"))


def test_a_storm_of_names_that_are_not_utf8_wakes_no_more_than_a_few_times_a_second(tmp_path: Path) -> None:
    async def wake_ups() -> int:
        watcher = changes(tmp_path, "events")
        until = time.monotonic() + 4.0
        count = 0

        async def storm() -> None:
            grow = growing(tmp_path / "caf\udce9.mp3")
            while True:
                grow()
                await asyncio.sleep(0.01)

        storming = asyncio.create_task(storm())
        while time.monotonic() < until:
            await anext(watcher)
            count += 1
        storming.cancel()
        await watcher.aclose()
        return count

    assert 1 < asyncio.run(wake_ups()) <= 12


def in_a_namespace(limit: str, *command: str) -> list[str]:
    """The command where root's own limit of inotify is another; the machine's stays as it is."""
    script = f'echo {limit} && exec "$@"'
    return ["unshare", "--user", "--map-root-user", "--", "sh", "-c", script, "sh", *command]


def test_where_the_system_allows_no_more_watches_some_folders_are_watched_and_it_is_said_once(tmp_path: Path) -> None:
    one_watch = "1 > /proc/sys/user/max_inotify_watches"
    if subprocess.run(in_a_namespace(one_watch, "true"), capture_output=True, check=False).returncode:
        pytest.skip("the system allows no user namespaces, in which a limit could be set")
    (tmp_path / "sub").mkdir()
    hearing = f"""if True:
        import asyncio, itertools, sys
        from pathlib import Path
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from test_watch import growing, hears
        inbox = Path({str(tmp_path)!r})
        def act():
            number = next(numbers)
            if number < 10:  # with each new folder it may start again
                (inbox / str(number)).mkdir()
            else:
                grow()
        numbers, grow = itertools.count(), growing(inbox / "talk.mp3")
        assert asyncio.run(hears(inbox, "events", act, "talk.mp3"))
    """
    told = subprocess.run(in_a_namespace(one_watch, sys.executable, "-c", hearing), capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    assert told.stderr.count("allows no more watches") == 1, told.stderr


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
