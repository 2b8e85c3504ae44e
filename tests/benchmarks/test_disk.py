from __future__ import annotations

from attacks.disk import Disk, Event, Loss, power_cuts

END = Event("end", "")


def left(history: list[Event], loss: Loss, *, is_journalled: bool = True, **files: bytes) -> dict[str, bytes | None]:
    """What a power cut after all of `history` leaves: path → bytes, None for folders."""
    disk = Disk(files, is_journalled=is_journalled)
    for event in history:
        disk.cut(event, loss)
        disk.apply(event)
    return {path: remains.data if remains.target is None else b"->" for path, remains in disk.cut(END, loss).items()}


WRITTEN = [Event("create", ".tmp"), Event("fsync", ".tmp", data=b"new"), Event("rename", ".tmp", "a")]
MOVED = [Event("mkdir", "there"), Event("fsync folder", ""), Event("rename", "a", "there/a")]


def test_what_was_synced_is_kept():
    history = [*WRITTEN, Event("fsync folder", "")]
    assert [left(history, loss, a=b"old") for loss in Loss] == [{"a": b"new"}] * 3


def test_a_name_that_was_not_synced_is_lost_or_kept():
    assert left(WRITTEN, Loss.NAMES, a=b"old") == {"a": b"old"}
    assert left(WRITTEN, Loss.DATA, a=b"old") == {"a": b"new"}


def test_a_new_file_that_was_not_synced_is_empty_or_holds_zeros():
    disk = Disk({"log": b"one "})
    appended = Event("fsync", "log", data=b"one two")
    disk.apply(Event("append", "log"))
    assert [disk.cut(appended, loss)["log"].data for loss in Loss] == [b"one ", b"one ", b"one " + bytes(3)]


def test_with_a_journal_a_rename_is_lost_or_kept_as_a_whole():
    assert left(MOVED, Loss.NAMES, a=b"1") == {"a": b"1", "there": None}
    assert left([*MOVED, Event("fsync folder", "there")], Loss.NAMES, a=b"1") == {"there": None, "there/a": b"1"}
    assert left([*MOVED, Event("fsync folder", "")], Loss.NAMES, a=b"1") == {"there": None, "there/a": b"1"}


def test_without_a_journal_a_file_may_have_both_names_or_none():
    after_target, after_source = ([*MOVED, Event("fsync folder", folder)] for folder in ("there", ""))
    assert left(after_target, Loss.NAMES, is_journalled=False, a=b"1") == {"a": b"1", "there": None, "there/a": b"1"}
    assert left(after_source, Loss.NAMES, is_journalled=False, a=b"1") == {"there": None}


def test_a_removal_that_was_not_synced_is_undone():
    assert left([Event("unlink", "a")], Loss.NAMES, a=b"1") == {"a": b"1"}
    assert left([Event("unlink", "a"), Event("fsync folder", "")], Loss.NAMES, a=b"1") == {}


def test_hard_links_are_one_file():
    disk = Disk({"a": b"1"}).apply(Event("link", "a", "b")).apply(Event("fsync folder", ""))
    image = disk.cut(END, Loss.NAMES)
    assert image["a"] == image["b"]


def test_syncing_the_file_system_keeps_everything():
    history = [*MOVED, Event("symlink", "/elsewhere", "link"), Event("syncfs", "")]
    assert left(history, Loss.NAMES, a=b"1") == {"there": None, "there/a": b"1", "link": b"->"}


def test_a_file_that_somebody_else_never_synced_can_be_lost():
    assert [cut.image["a"].data for cut in power_cuts({"a": b"1"}, [], unsynced=["a"])] == [b"", b"\0", b""]


def test_of_cuts_that_leave_the_same_the_first_is_told():
    cuts = list(power_cuts({"a": b"old"}, [*WRITTEN, Event("fsync folder", "")]))
    replaced = [(cut.number, cut.loss) for cut in cuts if cut.image["a"].data == b"new"]
    assert replaced == [(4, Loss.DATA), (5, f"{Loss.NAMES}, without a journal")]
    assert all(cut.number >= 4 for cut in power_cuts({"a": b"old"}, WRITTEN, first=4))
