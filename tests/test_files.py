from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from trax import disk, files
from trax.errors import DiskFailed, DiskFull, StorageError

TEMPORARY = re.compile(r"\.trax-[0-9a-f]{16}\.tmp")


@pytest.fixture
def refuse(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, int], None]:
    """Have every operation of one kind fail."""

    def install(kind: str, number: int) -> None:
        def observe(operation: str, path: Path, _made: Path | None) -> None:
            if operation == kind:
                raise OSError(number, os.strerror(number), str(path))

        monkeypatch.setattr(disk, "observer", observe)

    return install


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is told to the observer."""
    found: list[str] = []

    def observe(operation: str, path: Path, made: Path | None) -> None:
        names = [TEMPORARY.sub("*", each.name) for each in (path, made) if each is not None]
        found.append(" ".join([operation, *names]))

    monkeypatch.setattr(disk, "observer", observe)
    return found


def test_a_file_is_synced_before_it_gets_its_name_and_its_folder_after(tmp_path, told):
    files.write_bytes(tmp_path / "a", b"new")
    assert told == ["create *", "fsync *", "rename * a", f"fsync folder {tmp_path.name}"]


def test_a_move_syncs_where_the_name_went_before_where_it_was(tmp_path, told):
    for folder in ("from", "to"):
        (tmp_path / folder).mkdir()
    (tmp_path / "from" / "a").touch()
    files.rename(tmp_path / "from" / "a", tmp_path / "to" / "a")
    assert told == ["rename a a", "fsync folder to", "fsync folder from"]


def test_a_folder_loses_its_name_before_anything_in_it_goes(tmp_path, told):
    folder = tmp_path / "job"
    (folder / "inside").mkdir(parents=True)
    (folder / "inside" / "a").touch()
    (folder / "link").symlink_to(tmp_path)
    files.remove_tree(folder)
    synced = f"fsync folder {tmp_path.name}"
    assert told[:2] == ["rename job *", synced]
    assert told[-2:] == ["rmdir *", synced]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["fsync", "fsync folder"])
def test_a_sync_that_fails_is_no_storage_error(tmp_path, refuse, kind):
    refuse(kind, errno.EIO)
    with pytest.raises(DiskFailed) as caught:
        files.write_bytes(tmp_path / "a", b"new")
    assert not isinstance(caught.value, StorageError)
    assert caught.value.file in (str(tmp_path), str(tmp_path / "a"))
    assert "journalctl -k" in str(caught.value)


def test_a_folder_that_was_reached_through_a_descriptor_is_told_by_its_name(tmp_path, refuse):
    refuse("fsync folder", errno.EIO)
    descriptor = os.open(tmp_path, os.O_RDONLY)
    try:
        with pytest.raises(DiskFailed) as caught:
            disk.sync_folder(Path(f"/proc/self/fd/{descriptor}"))
    finally:
        os.close(descriptor)
    assert caught.value.file == str(tmp_path)


def test_the_disk_that_fails_when_all_is_synced_is_told_as_such(tmp_path, refuse):
    refuse("syncfs", errno.EIO)
    with pytest.raises(DiskFailed):
        disk.sync_all(tmp_path)


def test_a_sync_without_room_can_be_waited_for_and_leaves_nothing(tmp_path, refuse):
    refuse("fsync", errno.ENOSPC)
    (tmp_path / "a").write_bytes(b"old")
    with pytest.raises(DiskFull):
        files.write_bytes(tmp_path / "a", b"new")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a", b"old")]


def test_a_file_system_that_syncs_no_folders_is_not_a_disk_that_failed(tmp_path, refuse):
    refuse("fsync folder", errno.EINVAL)
    files.write_bytes(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"new"


def test_what_fails_on_the_way_leaves_the_old_file(tmp_path):
    (tmp_path / "a").write_bytes(b"old")

    def fail() -> None:
        with files.replacing(tmp_path / "a") as handle:
            handle.write(b"new")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a", b"old")]


def test_what_a_killed_writer_left_is_removed_and_nothing_else(tmp_path):
    with files.temporary_beside(tmp_path / "a") as left, files.temporary_beside(tmp_path / "a") as also_left:
        left.mkdir()
        (left / "inside").touch()
        also_left.touch()
    for name in ("a", ".trax", "x.tmp"):
        (tmp_path / name).touch()
    files.remove_temporaries(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".trax", "a", "x.tmp"]


def test_temporary_names_are_used_again_but_never_by_two_at_once(tmp_path):
    seen = set()
    for number in range(100):
        with files.replacing(tmp_path / f"{number}") as outer, files.replacing(tmp_path / f"{number} too") as inner:
            assert outer.name != inner.name
            seen |= {Path(outer.name).name, Path(inner.name).name}
    assert len(seen) == 2
    assert all(TEMPORARY.fullmatch(name) for name in seen)


def test_a_temporary_name_by_which_something_may_still_go_is_not_used_again(tmp_path, refuse):
    refuse("unlink", errno.EIO)
    with pytest.raises(KeyError), files.replacing(tmp_path / "a"):
        raise KeyError
    (left,) = tmp_path.iterdir()
    with files.replacing(tmp_path / "a") as handle:
        assert handle.name != str(left)


def test_an_appended_line_is_synced_and_a_new_file_s_name_too(tmp_path, told):
    for _ in range(2):
        files.append(tmp_path / "log", b"line\n")
    assert told == ["append log", "fsync log", f"fsync folder {tmp_path.name}", "append log", "fsync log"]
    assert (tmp_path / "log").read_bytes() == b"line\n" * 2


def test_a_name_that_is_taken_is_not_replaced(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).write_text(name)
    with pytest.raises(FileExistsError):
        files.rename_new(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_text() == "b"


def test_a_copy_has_the_bytes_and_the_hash_of_the_original(tmp_path):
    (tmp_path / "a").write_bytes(b"sound")
    assert files.copy(tmp_path / "a", tmp_path / "b") == files.sha256_of(tmp_path / "b")
    assert stat.S_IMODE((tmp_path / "b").stat().st_mode) == files.FILE_MODE


def test_one_process_has_the_lock(tmp_path):
    with files.locked(tmp_path / "lock") as first, files.locked(tmp_path / "lock") as second:
        assert (first, second) == (True, False)


def test_what_was_appended_stays_however_it_ends(tmp_path):
    path = tmp_path / "grown"
    with files.appending(path) as handle:
        handle.write(b"one ")
        assert path.read_bytes() == b"one "  # at once: nothing is held back that a kill could lose
    with contextlib.suppress(KeyboardInterrupt), files.appending(path) as handle:
        handle.write(b"two")
        raise KeyboardInterrupt
    assert path.read_bytes() == b"one two"
    with pytest.raises(StorageError, match="append to"), files.appending(tmp_path / "none" / "grown"):
        pass


def test_the_umask_does_not_decide_who_may_read_what_grows(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        with files.appending(tmp_path / "grown") as handle:
            handle.write(b"one")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "grown").stat().st_mode) == files.FILE_MODE


def test_a_folder_that_cannot_be_looked_at_is_told(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="look into"):
        files.make_folder(tmp_path / ("n" * 300))
