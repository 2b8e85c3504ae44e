"""`trax-ctl purge` leaves nothing of a job, and can be done to the end after any crash."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rig import WORDS, Traxd, everything_below

from trax import disk, files
from trax.config import Settings
from trax.errors import DiskFull, JobError
from trax.jobs import requests
from trax.jobs.folders import Part, StateFolders, write_job
from trax.jobs.job import Job, Status
from trax.jobs.ledger import Ledger
from trax.jobs.seen import Seen
from trax.pipeline.publish import publish, stage
from trax.service.purging import Purger

SECRET = b"a word that nobody else says"


class Root:
    """A root in which jobs are finished without any engine."""

    def __init__(self, root: Path) -> None:
        self.settings = Settings(root=str(root))
        self.outbox = self.settings.outbox_folder
        self.folders = StateFolders(self.settings.state_folder)
        self.folders.make()
        for folder in (self.settings.inbox_folder, self.outbox):
            files.make_folder(folder)
        self.open()

    def open(self) -> None:
        self.ledger = Ledger(self.folders.ledger)
        self.seen = Seen(self.folders.ledger / "seen.log")
        self.purger = Purger(self.settings, self.folders, self.ledger, self.seen)

    def finish(self, number: int, name: str = "meetings/talk", status: Status = Status.COMPLETED) -> Job:
        job = Job(
            id=f"20261122-{number:06d}-abcdef",
            source_name=f"{name}.wav",
            output_name=name,
            stages=("fast",),
            settings={"number": number},
            settings_hash=f"settings-of-{number}",
            created=float(number),
            changed=float(number),
            status=status,
            media_id=f"{number:064x}",
            started=float(number),
            finished=float(number),
        )
        folder = self.folders.archive / job.id
        files.make_folder(folder)
        write_job(folder, job)
        files.write_bytes(folder / "source", SECRET)
        staged = stage(self.outbox, job.id, {".srt": (SECRET,), ".json": (SECRET, job.id.encode())})
        publish(self.outbox, folder, f"{job.started}", staged, lambda _taken: name)
        self.ledger.put(job)
        self.seen.add(job.media_id, job.id)
        return job

    def traces(self, *words: bytes) -> list[str]:
        """Files below the root whose name or content holds one of the words."""
        paths = [path for path in self.settings.root_folder.rglob("*") if path.is_file()]
        return [str(path) for path in paths if any(word in os.fsencode(path) or word in path.read_bytes() for word in words)]


@pytest.fixture
def root(tmp_path: Path) -> Root:
    return Root(tmp_path)


def traces_of(job: Job) -> tuple[bytes, ...]:
    return job.id.encode(), job.media_id.encode(), Path(job.output_name).name.encode(), job.settings_hash.encode(), SECRET


def test_nothing_is_left_in_snapshots_archives_log_and_outbox(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trax.jobs.ledger.LIVE_FINISHED", 1)
    monkeypatch.setattr("trax.jobs.ledger.BATCH", 1)
    archived, live = root.finish(1, "first"), root.finish(2, "meetings/talk")
    assert root.traces(archived.id.encode())
    (root.outbox / "first.srt").write_bytes(b"corrected")
    (root.folders.ledger / "ledger-a.json.damaged-1").write_bytes(archived.id.encode())
    assert root.purger.purge(archived.id) == ("first.json", "first.srt")
    root.purger.purge(live.id)
    assert root.traces(*traces_of(archived), *traces_of(live), b"corrected") == []
    assert everything_below(root.outbox) == {".trax"}
    root.open()
    assert list(root.ledger.everything()) == []
    assert root.seen.find(live.media_id) is None


def test_what_is_of_others_stays(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trax.jobs.ledger.LIVE_FINISHED", 1)
    monkeypatch.setattr("trax.jobs.ledger.BATCH", 2)
    first, *others = [root.finish(number, f"talk {number}") for number in range(5)]
    shutil.move(root.outbox / "talk 0.json", root.outbox / "kept.json")  # somebody's own from now on, and the name is free again
    heir = root.finish(7, "talk 0")
    root.purger.purge(first.id)
    assert (root.outbox / "talk 0.json").exists()
    assert (root.outbox / "kept.json").exists()
    root.open()
    assert {job.id for job in root.ledger.everything()} == {job.id for job in (*others, heir)}
    assert all(root.ledger.get(job.id) == job for job in (*others, heir))
    assert all(root.seen.find(job.media_id) == job.id for job in others)


def test_only_what_is_finished_is_purged(root: Root) -> None:
    job = root.finish(1, status=Status.QUEUED)
    with pytest.raises(JobError, match="queued"):
        root.purger.look(job.id, is_begun=False)
    for unknown in ("20261122-999999-abcdef", "../../etc", ""):
        with pytest.raises(JobError):
            root.purger.look(unknown, is_begun=False)
    with pytest.raises(JobError):
        root.purger.look("../../etc", is_begun=True)


def test_other_jobs_over_the_same_recording_are_told(root: Root) -> None:
    first = root.finish(1, "first")
    again = root.finish(2, "again")
    root.ledger.put(Job(**{**{name: getattr(again, name) for name in Job.__slots__}, "media_id": first.media_id}))
    assert root.purger.look("first", is_begun=False).same_recording == (again.id,)


class _EndedError(Exception):
    """Stands for the end of the process."""


@pytest.fixture
def end_before() -> Iterator[Callable[[int], None]]:
    """Have the process end before the k-th operation on the disk from now."""

    def install(k: int) -> None:
        left = k

        def observe(*_: object) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise _EndedError

        disk.observer = observe

    yield install
    disk.observer = None


def test_ended_anywhere_it_is_not_begun_or_done_to_the_end(tmp_path: Path, end_before: Callable[[int], None]) -> None:
    made = tmp_path / "made"
    job = Root(made).finish(1)
    before = everything_below(made)
    for k in range(1000):
        copy = tmp_path / f"root-{k}"
        shutil.copytree(made, copy)
        root = Root(copy)
        end_before(k)
        try:
            root.purger.purge(job.id)
        except _EndedError:
            pass
        else:
            break
        finally:
            disk.observer = None
        root.open()
        for folder in (root.folders.root / part for part in ("ledger", "requests", *Part)):  # as the daemon does at its start
            files.remove_temporaries(folder)
        asked = requests.left(root.folders)
        for request in asked:
            plain = json.loads(request.read_bytes())
            root.purger.purge(root.purger.look(plain["jobs"][0], is_begun=plain["begun"]).job)
            files.remove(request)
        is_untouched = not asked and everything_below(copy) == before
        assert is_untouched or root.traces(*traces_of(job)) == [], f"ended before operation {k}"
        shutil.rmtree(copy)
    assert k > 20
    assert root.traces(*traces_of(job)) == []


def test_a_purged_recording_is_done_anew(traxd_alone: Traxd, turn: Callable[..., Path]) -> None:
    traxd = traxd_alone
    recording = turn(0, 11)
    traxd.put(recording, "private/secret talk.wav")
    job = traxd.wait_for("private/secret talk.wav")
    words = [word["word"] for word in traxd.transcript("private/secret talk")["word_segments"]]
    assert words
    done = traxd.ask("purge", jobs=[job.id])
    removed = [f"private/secret talk{ending}" for ending in (".json", ".srt")]
    assert done == {"purged": [job.id], "removed": removed, "refused": [], "same_recording": []}
    log = traxd.root / "traxd.log"
    names = (job.id, job.media_id, "secret talk", "private", *(word for word in words if len(word) > 6))
    for path in traxd.root.rglob("*"):
        if path != log and path.is_file() and "models" not in path.parts:
            assert not any(name in str(path.relative_to(traxd.root)) or name.encode() in path.read_bytes() for name in names), path
    assert traxd.ask("purge", jobs=[job.id])["refused"][0]["error"]["code"] == "job"
    traxd.put(recording, "again.wav")
    again = traxd.wait_for("again.wav")
    assert (again.status, again.duplicate_of) == (Status.COMPLETED, None)


@pytest.fixture(scope="module")
def traxd_alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traxd]:
    with Traxd(tmp_path_factory.mktemp("alone"), WORDS) as running:
        yield running


def test_a_full_disk_keeps_a_purge_from_beginning_and_says_to_ask_again(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    job = root.finish(1)

    def refuse(*_: object) -> None:
        raise DiskFull("Could not write: No space left on device.")

    monkeypatch.setattr("trax.files.replacing", refuse)
    with pytest.raises(DiskFull) as caught:
        root.purger.purge(job.id)
    assert "ask again" in caught.value.advice
    assert root.traces(job.id.encode())
