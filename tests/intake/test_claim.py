from __future__ import annotations

import errno
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from asyncinotify import Inotify, Mask

from trax import files
from trax.config import Intake
from trax.errors import StorageError, UnreadableRecording
from trax.intake import claim as claim_module
from trax.intake.claim import claim, finish_claims
from trax.intake.names import output_name
from trax.intake.scan import scan, sight
from trax.intake.settle import Sighting
from trax.intake.validate import validate
from trax.intake.writers import has_writer
from trax.jobs.folders import SOURCE_FILE, StateFolders, read_job, subfolders
from trax.jobs.job import Job
from trax.jobs.outputs import SIDE_FOLDER, is_in_outbox

SOUND = b"sound" * 1000


@pytest.fixture(autouse=True)
def without_syncs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes end here, machines do not: hundreds of claims need not reach the disk."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture
def folders(tmp_path: Path) -> StateFolders:
    folders = StateFolders(tmp_path / "state")
    folders.make()
    return folders


@pytest.fixture(params=["same mount", "other mount"])
def inbox(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    if request.param == "same mount":
        (tmp_path / "inbox").mkdir()
        yield tmp_path / "inbox"
        return
    shared_memory = Path("/dev/shm")
    if not shared_memory.is_dir() or shared_memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("this machine has no second writable mount at /dev/shm")
    folder = Path(tempfile.mkdtemp(dir=shared_memory, prefix="trax-inbox-"))
    yield folder
    shutil.rmtree(folder)


def job(relative: str, number: int = 1) -> Job:
    return Job(f"20261122-{number:06d}-abcdef", relative, output_name(relative), ("transcribe",), {}, "h", created=1.0, changed=1.0)


def seen(path: Path) -> Sighting:
    sighting = sight(path)
    assert sighting is not None
    return sighting


def left_in(inbox: Path) -> set[str]:
    return set(scan(inbox).sightings) | {path.name for path in inbox.glob(f"{SIDE_FOLDER}/*")}


@pytest.mark.parametrize("relative", ["talk.mp3", "sub/deeper/talk.mp3", "-rf\n\udce9.mp3"])
def test_a_claim_moves_the_recording_and_knows_its_job(inbox: Path, folders: StateFolders, relative: str) -> None:
    path = inbox / relative
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(SOUND)
    folder = claim(inbox, seen(path), job(relative), folders)
    assert folder == folders.work / job(relative).id
    assert (folder / SOURCE_FILE).read_bytes() == SOUND
    assert read_job(folder) == job(relative)
    assert left_in(inbox) == set()
    assert path.parent.is_dir()


@pytest.mark.parametrize("kind", ["link", "dangling link", "pipe", "socket"])
def test_links_and_specials_are_taken_as_what_they_are(inbox: Path, folders: StateFolders, tmp_path: Path, kind: str) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    path = inbox / "talk.mp3"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        os.mknod(path, 0o140644)
    else:
        path.symlink_to(secret if kind == "link" else tmp_path / "nowhere")
    folder = claim(inbox, seen(path), job("talk.mp3"), folders)
    assert folder is not None
    assert not seen(folder / SOURCE_FILE).is_regular
    assert scan(inbox).sightings == {}
    assert secret.read_bytes() == b"secret"


def test_what_changed_since_it_was_sighted_stays(inbox: Path, folders: StateFolders) -> None:
    path = inbox / "talk.mp3"
    path.write_bytes(SOUND)
    before = seen(path)
    path.write_bytes(SOUND * 2)
    assert claim(inbox, before, job("talk.mp3"), folders) is None
    path.unlink()
    assert claim(inbox, before, job("talk.mp3"), folders) is None
    assert claim(inbox, before, job("no/such/folder.mp3"), folders) is None
    assert subfolders(folders.work) == ()


def test_what_is_still_written_to_stays(inbox: Path, folders: StateFolders) -> None:
    path = inbox / "talk.mp3"
    with path.open("wb") as writer:
        writer.write(SOUND)
        writer.flush()
        assert claim(inbox, seen(path), job("talk.mp3"), folders) is None
        assert path.read_bytes() == SOUND
    assert claim(inbox, seen(path), job("talk.mp3"), folders) is not None


def changed_in_flight(monkeypatch: pytest.MonkeyPatch, act: object) -> None:
    """Let `act` happen at the worst moment: right after the rename."""
    rename = claim_module._rename

    def rename_and_act(path: Path, target: Path) -> bool:
        assert rename(path, target)
        act(path, target)
        return True

    monkeypatch.setattr(claim_module, "_rename", rename_and_act)


def test_what_changes_while_it_is_taken_goes_back(inbox: Path, folders: StateFolders, monkeypatch: pytest.MonkeyPatch) -> None:
    path = inbox / "talk.mp3"
    path.write_bytes(SOUND)
    changed_in_flight(monkeypatch, lambda _, moved: moved.write_bytes(SOUND * 2))
    assert claim(inbox, seen(path), job("talk.mp3"), folders) is None
    assert path.read_bytes() == SOUND * 2
    assert left_in(inbox) == {"talk.mp3"}
    assert subfolders(folders.work) == ()


def test_what_goes_back_never_overwrites_a_newcomer(inbox: Path, folders: StateFolders, monkeypatch: pytest.MonkeyPatch) -> None:
    path = inbox / "talk.mp3"
    path.write_bytes(SOUND)

    def act(_: Path, moved: Path) -> None:
        moved.write_bytes(b"first, longer")
        path.write_bytes(b"second")

    changed_in_flight(monkeypatch, act)
    assert claim(inbox, seen(path), job("talk.mp3"), folders) is None
    assert path.read_bytes() == b"second"
    assert (inbox / "talk (2).mp3").read_bytes() == b"first, longer"


def test_a_subfolder_that_becomes_a_link_leads_nowhere(inbox: Path, folders: StateFolders, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (inbox / "sub").mkdir()
    (inbox / "sub/talk.mp3").write_bytes(SOUND)
    sighting = seen(inbox / "sub/talk.mp3")
    (inbox / "sub").rename(inbox / "former")
    (elsewhere / "talk.mp3").write_bytes(SOUND)
    (inbox / "sub").symlink_to(elsewhere)
    for sighted in (sighting, seen(elsewhere / "talk.mp3")):
        assert claim(inbox, sighted, job("sub/talk.mp3"), folders) is None
    assert (elsewhere / "talk.mp3").read_bytes() == SOUND


def test_swaps_between_the_look_and_the_claim_never_escape(tmp_path: Path, folders: StateFolders) -> None:
    inbox, elsewhere = tmp_path / "inbox", tmp_path / "elsewhere"
    (inbox / "real").mkdir(parents=True)
    elsewhere.mkdir()
    (elsewhere / "talk.mp3").write_bytes(b"secret")
    (inbox / "sub").symlink_to(elsewhere)
    stop = threading.Event()

    def swap() -> None:
        # `sub` is by turns a folder of the inbox and a link to elsewhere
        while not stop.is_set():
            (inbox / "sub").unlink(missing_ok=True)
            (inbox / "real").rename(inbox / "sub")
            (inbox / "sub").rename(inbox / "real")
            (inbox / "sub").symlink_to(elsewhere)

    swapper = threading.Thread(target=swap)
    swapper.start()
    taken = 0
    try:
        for number in range(400):
            for folder in ("real", "sub"):
                try:
                    (inbox / folder / "own.mp3").write_bytes(SOUND)
                except OSError:
                    continue
                break
            for name in ("sub/talk.mp3", "sub/own.mp3"):
                sighting = sight(inbox / name)
                if sighting is not None:
                    folder_of_job = claim(inbox, sighting, job(name, number), folders)
                    if folder_of_job is not None:
                        taken += 1
                        assert (folder_of_job / SOURCE_FILE).read_bytes() == SOUND
                        shutil.rmtree(folder_of_job)
            (elsewhere / "own.mp3").unlink(missing_ok=True)
    finally:
        stop.set()
        swapper.join()
    assert taken > 0
    assert (elsewhere / "talk.mp3").read_bytes() == b"secret"


def test_a_disk_that_refuses_leaves_the_recording_in_the_inbox(inbox: Path, folders: StateFolders, monkeypatch: pytest.MonkeyPatch) -> None:
    (inbox / "talk.mp3").write_bytes(SOUND)

    def refuses(*_: object) -> None:
        raise StorageError("No.")

    with monkeypatch.context() as patch:
        patch.setattr(files, "rename", refuses)
        with pytest.raises(StorageError):
            claim(inbox, seen(inbox / "talk.mp3"), job("talk.mp3"), folders)
    assert left_in(inbox) == {"talk.mp3"}
    assert subfolders(folders.work) == ()


def test_a_folder_that_only_its_owner_may_change_is_named_with_what_to_do(
    inbox: Path, folders: StateFolders, monkeypatch: pytest.MonkeyPatch
) -> None:
    (inbox / "Monday").mkdir()
    path = inbox / "Monday" / "talk.mp3"
    path.write_bytes(SOUND)

    rename = os.rename

    def is_refused(source: Path, target: Path) -> None:  # injected: the tests may run as root, who may do everything
        if source.name == "talk.mp3":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        rename(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", is_refused)
        with pytest.raises(StorageError) as caught:
            claim(inbox, seen(path), job("Monday/talk.mp3"), folders)
    assert caught.value.file == "Monday/talk.mp3"
    assert "chmod -R g+rwX" in caught.value.advice
    assert left_in(inbox) == {"Monday/talk.mp3"}


@pytest.mark.parametrize("function", ["make_folder", "write_bytes", "rename", "rename_new", "copy", "remove", "remove_tree", "link"])
@pytest.mark.parametrize("moment", ["before", "after", "between its two names"])
@pytest.mark.parametrize("is_changed", [False, True])
def test_killed_at_any_step_the_recording_is_in_one_place(
    inbox: Path, folders: StateFolders, monkeypatch: pytest.MonkeyPatch, function: str, moment: str, *, is_changed: bool
) -> None:
    path = inbox / "talk.mp3"
    path.write_bytes(SOUND)
    sighting = seen(path)
    if is_changed:
        changed_in_flight(monkeypatch, lambda _, moved: moved.write_bytes(SOUND * 2))
    real, remove = getattr(files, function), files.remove

    def dies(*arguments: object, **named: object) -> None:
        if moment == "after":
            real(*arguments, **named)
        elif moment == "between its two names":
            monkeypatch.setattr(files, "remove", lambda _: os._exit(9))
            real(*arguments, **named)
        os._exit(9)

    child = os.fork()
    if child == 0:
        try:
            monkeypatch.setattr(files, function, dies)
            claim(inbox, sighting, job("talk.mp3"), folders)
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert files.remove is remove
    finish_claims(inbox, folders)
    for folder in subfolders(folders.work):
        if sight(folder / SOURCE_FILE) is None:
            shutil.rmtree(folder)  # what recovery does
    taken = [folder / SOURCE_FILE for folder in subfolders(folders.work)]
    here = [inbox / name for name in left_in(inbox)]
    assert len(taken) + len(here) == 1
    (survivor,) = taken + here
    assert survivor.read_bytes() in ({SOUND, SOUND * 2} if is_changed else {SOUND})
    assert seen(survivor).is_regular
    assert survivor.stat().st_nlink == 1
    if taken:
        assert read_job(taken[0].parent) == job("talk.mp3")


def test_a_return_interrupted_between_its_two_names_is_finished(tmp_path: Path, folders: StateFolders) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    (inbox / "talk.mp3").write_bytes(SOUND)
    folder = claim(inbox, seen(inbox / "talk.mp3"), job("talk.mp3"), folders)
    assert folder is not None
    finish_claims(inbox, folders)
    assert folder.exists()
    (inbox / "talk.mp3").write_bytes(b"newcomer")
    os.link(folder / SOURCE_FILE, inbox / "talk (2).mp3")
    finish_claims(inbox, folders)
    assert not folder.exists()
    assert (inbox / "talk (2).mp3").read_bytes() == SOUND


def test_an_id_is_never_used_twice(inbox: Path, folders: StateFolders) -> None:
    for name in ("a.mp3", "b.mp3"):
        (inbox / name).write_bytes(SOUND)
    assert claim(inbox, seen(inbox / "a.mp3"), job("a.mp3"), folders) is not None
    assert claim(inbox, seen(inbox / "b.mp3"), job("b.mp3"), folders) is None
    assert read_job(folders.work / job("a.mp3").id).source_name == "a.mp3"
    assert left_in(inbox) == {"b.mp3"}


def test_writers_are_seen_and_readers_do_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "talk.mp3"
    path.write_bytes(SOUND)
    assert not has_writer(path)
    with path.open("rb"):
        assert not has_writer(path)
    with path.open("ab"):
        assert has_writer(path)
    assert not has_writer(path)
    assert not has_writer(tmp_path / "nothing")
    (tmp_path / "link").symlink_to(path)
    with path.open("ab"):
        assert not has_writer(tmp_path / "link")


def test_who_opens_for_writing_while_we_ask_does_not_hurt_us(tmp_path: Path) -> None:
    path = tmp_path / "talk.mp3"
    path.write_bytes(SOUND)
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            with path.open("ab"):
                pass

    writer = threading.Thread(target=write)
    writer.start()
    answers = {has_writer(path) for _ in range(3000)}
    stop.set()
    writer.join()
    assert False in answers


def test_taken_names_in_the_outbox(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("sub/talk.srt", "failed.error.json", "a.b.json"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "dangling.json").symlink_to("nowhere")
    assert [is_in_outbox(tmp_path, name) for name in ("sub/talk", "failed", "a.b", "dangling")] == [True] * 4
    assert [is_in_outbox(tmp_path, name) for name in ("talk", "a", "sub", "failed.error")] == [False, False, False, True]


def test_what_changes_while_it_is_copied_from_another_mount_goes_back(
    inbox: Path, folders: StateFolders, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = inbox / "talk.mp3"
    path.write_bytes(SOUND)
    copy = files.copy
    copied = []

    def copy_and_change(source: Path | int, target: Path) -> str:
        told = copy(source, target)
        copied.append(target)
        (inbox / SIDE_FOLDER / target.parent.name).write_bytes(SOUND * 2)
        return told

    with monkeypatch.context() as patch:
        patch.setattr(files, "copy", copy_and_change)
        taken = claim(inbox, seen(path), job("talk.mp3"), folders)
    if not copied:  # on the same mount nothing is
        assert taken is not None
        return
    assert taken is None
    assert path.read_bytes() == SOUND * 2
    assert left_in(inbox) == {"talk.mp3"}
    assert subfolders(folders.work) == ()


def test_a_link_where_the_side_folder_belongs_leads_nowhere(inbox: Path, folders: StateFolders) -> None:
    with tempfile.TemporaryDirectory(dir=inbox.parent) as elsewhere:
        (inbox / SIDE_FOLDER).symlink_to(elsewhere)
        (inbox / "talk.mp3").write_bytes(SOUND)
        folder = claim(inbox, seen(inbox / "talk.mp3"), job("talk.mp3"), folders)
        assert folder is not None
        assert (folder / SOURCE_FILE).read_bytes() == SOUND
        assert list(Path(elsewhere).iterdir()) == []


def test_a_hard_link_is_taken_and_not_opened(inbox: Path, folders: StateFolders) -> None:
    secret = inbox / ".secret"
    secret.write_bytes(b"secret")
    (inbox / "talk.mp3").hardlink_to(secret)
    with Inotify(sync_timeout=0) as inotify:
        inotify.add_watch(secret, Mask.OPEN | Mask.ACCESS)
        folder = claim(inbox, seen(inbox / "talk.mp3"), job("talk.mp3"), folders)
        assert folder is not None
        with pytest.raises(UnreadableRecording):
            validate(folder / SOURCE_FILE, "talk.mp3", Intake())
        assert inotify.sync_get() is None


def test_what_cannot_go_back_to_its_folder_goes_back_to_the_inbox(
    inbox: Path, folders: StateFolders, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = inbox / "sub" / "talk.mp3"
    path.parent.mkdir()
    path.write_bytes(SOUND)

    def change_and_remove_folder(_: Path, moved: Path) -> None:
        moved.write_bytes(SOUND * 2)
        path.parent.rmdir()

    changed_in_flight(monkeypatch, change_and_remove_folder)
    assert claim(inbox, seen(path), job("sub/talk.mp3"), folders) is None
    assert (inbox / "talk.mp3").read_bytes() == SOUND * 2
    assert subfolders(folders.work) == ()


def test_what_goes_back_beside_a_long_name_has_a_name_that_fits(
    inbox: Path, folders: StateFolders, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = inbox / ("x" * 251 + ".mp3")
    path.write_bytes(SOUND)

    def change_and_take_name(_: Path, moved: Path) -> None:
        moved.write_bytes(SOUND * 2)
        path.write_bytes(b"newcomer")

    changed_in_flight(monkeypatch, change_and_take_name)
    assert claim(inbox, seen(path), job(path.name), folders) is None
    assert path.read_bytes() == b"newcomer"
    assert (inbox / ("x" * 247 + " (2).mp3")).read_bytes() == SOUND * 2
