from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trax import files
from trax.config import Retries
from trax.errors import JobError
from trax.jobs.folders import SOURCE_FILE, Part, StateFolders, file_away, home, read_job, write_job
from trax.jobs.job import MOST_INTERRUPTIONS, Job, Status, rediarize
from trax.jobs.ledger import Ledger
from trax.jobs.recovery import Found, decide, reconcile

POLICY = Retries(max_attempts=3)
NOW = 5000.0


def job(status: Status, number: int = 1, **fields: object) -> Job:
    made = Job(
        id=f"20261122-{number:06d}-abcdef",
        source_name=f"{number}.mp3",
        output_name=f"{number}",
        stages=("transcribe",),
        settings={},
        settings_hash="h",
        created=1000.0,
        changed=2000.0,
        status=status,
        media_id="" if status is Status.CLAIMED else "ab",
        attempts=1 if status is Status.RUNNING else 0,
        finished=2000.0 if status in {Status.COMPLETED, Status.FAILED, Status.CANCELLED} else None,
    )
    return dataclasses.replace(made, **fields)


@pytest.fixture
def folders(tmp_path: Path) -> StateFolders:
    folders = StateFolders(tmp_path / "state")
    folders.make()
    return folders


def place(folders: StateFolders, made: Job, part: Part = Part.WORK, *, source: bool = True) -> Path:
    folder = folders.root / part / made.id
    folder.mkdir()
    write_job(folder, made)
    if source:
        (folder / SOURCE_FILE).write_bytes(b"sound")
    return folder


def put_right(
    ledger: Ledger, folders: StateFolders, published: set[str] | None = None, progressed: set[str] | None = None
) -> tuple[list[Job], list[Job]]:
    finished: list[Job] = []

    def finish(made: Job) -> None:
        finished.append(made)
        file_away(folders, made)

    touched = reconcile(
        ledger,
        folders,
        is_published=lambda made: made.id in (published or set()),
        has_progressed=lambda made: made.id in (progressed or set()),
        finish=finish,
        now=NOW,
        policy=POLICY,
    )
    return touched, finished


class TestReconcile:
    def test_a_claim_that_the_ledger_does_not_know_is_adopted(self, folders: StateFolders) -> None:
        place(folders, job(Status.CLAIMED))
        ledger = Ledger(folders.ledger)
        put_right(ledger, folders)
        assert ledger.get(job(Status.CLAIMED).id) == job(Status.CLAIMED)

    def test_a_claim_that_never_got_its_recording_is_removed(self, folders: StateFolders) -> None:
        folder = place(folders, job(Status.CLAIMED), source=False)
        ledger = Ledger(folders.ledger)
        put_right(ledger, folders)
        assert not folder.exists()
        assert ledger.live() == ()

    def test_a_dangling_link_is_a_claimed_recording_too(self, folders: StateFolders) -> None:
        folder = place(folders, job(Status.CLAIMED), source=False)
        (folder / SOURCE_FILE).symlink_to("/nowhere")
        ledger = Ledger(folders.ledger)
        put_right(ledger, folders)
        assert job(Status.CLAIMED).id in ledger

    @pytest.mark.parametrize("is_in_ledger", [True, False])
    @pytest.mark.parametrize("part", [Part.WORK, Part.ARCHIVE])
    def test_a_job_whose_speakers_are_sought_anew_needs_no_recording(
        self, folders: StateFolders, is_in_ledger: bool, part: Part  # noqa: FBT001 - pytest hands it in
    ) -> None:
        done = job(Status.COMPLETED, settings={"diarize": {}}, started=1500.0)
        again = rediarize(done, 2001.0, ({"diarize": {"max_speakers": 2}}, "i", done.stages))
        ledger = Ledger(folders.ledger)
        folder = place(folders, done if is_in_ledger and part is Part.ARCHIVE else again, part, source=False)
        if is_in_ledger:
            ledger.put(again)
        put_right(ledger, folders)
        assert ledger.get(again.id) == again
        assert read_job(folders.work / folder.name) == again

    @pytest.mark.parametrize(("progressed", "counted"), [(set(), 8), ({job(Status.CLAIMED).id}, 0)])
    def test_a_running_job_is_queued_and_its_attempt_given_back(self, folders: StateFolders, progressed: set[str], counted: int) -> None:
        ledger = Ledger(folders.ledger)
        folder = place(folders, job(Status.CLAIMED))
        with files.temporary_beside(folder / "pcm.raw") as half:
            half.touch()
        ledger.put(job(Status.RUNNING, changed=2001.0, interruptions=7))
        put_right(ledger, folders, progressed=progressed)
        (found,) = ledger.live()
        assert (found.status, found.attempts, found.interruptions) == (Status.QUEUED, 0, counted)
        assert not half.exists()

    def test_the_last_interruption_fails_and_is_finished(self, folders: StateFolders) -> None:
        ledger = Ledger(folders.ledger)
        last = job(Status.RUNNING, interruptions=MOST_INTERRUPTIONS - 1)
        folder = place(folders, last)
        ledger.put(last)
        touched, finished = put_right(ledger, folders)
        assert touched == finished == [ledger.get(folder.name)]
        assert touched[0].status is Status.FAILED
        assert (folders.quarantine / folder.name / SOURCE_FILE).exists()

    def test_a_running_job_that_is_published_is_completed_and_archived(self, folders: StateFolders) -> None:
        ledger = Ledger(folders.ledger)
        folder = place(folders, job(Status.RUNNING, attempts=3))
        ledger.put(job(Status.RUNNING, attempts=3))
        put_right(ledger, folders, {folder.name})
        assert ledger.counts()[Status.COMPLETED] == 1
        assert read_job(folders.archive / folder.name).status is Status.COMPLETED

    @pytest.mark.parametrize(
        ("status", "part"), [(Status.COMPLETED, Part.ARCHIVE), (Status.CANCELLED, Part.ARCHIVE), (Status.FAILED, Part.QUARANTINE)]
    )
    def test_a_finished_job_whose_recording_still_lies_in_work_is_filed(self, folders: StateFolders, status: Status, part: Part) -> None:
        ledger = Ledger(folders.ledger)
        folder = place(folders, job(Status.CLAIMED, changed=1000.0))
        ledger.put(job(status))
        _, finished = put_right(ledger, folders)
        assert (folders.root / part / folder.name / SOURCE_FILE).exists()
        assert read_job(folders.root / part / folder.name) == job(status)
        assert finished == [job(status)]

    def test_a_retried_job_whose_folder_is_still_in_quarantine_comes_back(self, folders: StateFolders) -> None:
        ledger = Ledger(folders.ledger)
        folder = place(folders, job(Status.FAILED), Part.QUARANTINE)
        ledger.put(job(Status.QUEUED, changed=2001.0))
        put_right(ledger, folders)
        assert (folders.work / folder.name / SOURCE_FILE).exists()
        assert ledger.counts()[Status.QUEUED] == 1

    def test_a_ledger_that_fell_back_learns_from_the_folder(self, folders: StateFolders) -> None:
        ledger = Ledger(folders.ledger)
        place(folders, job(Status.COMPLETED, changed=3000.0), Part.ARCHIVE)
        ledger.put(job(Status.RUNNING))
        put_right(ledger, folders)
        assert ledger.counts()[Status.COMPLETED] == 1

    def test_a_ledger_with_a_damaged_snapshot_learns_of_a_later_run_that_ended_as_the_one_before(self, folders: StateFolders) -> None:
        ledger = Ledger(folders.ledger)
        place(folders, job(Status.COMPLETED, changed=3000.0, output_name="later"), Part.ARCHIVE)
        ledger.put(job(Status.RUNNING))
        ledger.put(job(Status.COMPLETED))
        assert put_right(ledger, folders) == ([], [])
        ledger.damaged = (folders.ledger / "ledger-0.json.damaged-1",)
        put_right(ledger, folders)
        assert ledger.find("later").changed == 3000.0

    def test_a_lost_ledger_is_rebuilt_from_the_folders(self, folders: StateFolders) -> None:
        for number, status in enumerate(Status):
            made = job(status, number)
            place(folders, made, home(made))
        ledger = Ledger(folders.ledger)
        put_right(ledger, folders)
        counts = ledger.counts()
        assert counts[Status.RUNNING] == 0
        assert counts[Status.QUEUED] == 2
        assert all(counts[status] == 1 for status in (Status.CLAIMED, Status.COMPLETED, Status.FAILED, Status.CANCELLED))

    def test_a_job_without_a_folder_fails_in_words(self, folders: StateFolders) -> None:
        ledger = Ledger(folders.ledger)
        ledger.put(job(Status.QUEUED))
        touched, finished = put_right(ledger, folders)
        assert touched == finished
        assert touched[0].error is not None
        assert touched[0].error["code"] == "unreadable"

    def test_an_unreadable_record_stays_where_it_is(self, folders: StateFolders) -> None:
        folder = place(folders, job(Status.CLAIMED))
        (folder / "job.json").write_text("{")
        assert put_right(Ledger(folders.ledger), folders) == ([], [])
        assert (folder / SOURCE_FILE).exists()

    def test_what_is_right_is_left_alone(self, folders: StateFolders) -> None:
        ledger = Ledger(folders.ledger)
        for number, status in enumerate([Status.CLAIMED, Status.QUEUED, Status.COMPLETED, Status.FAILED, Status.CANCELLED]):
            made = job(status, number)
            place(folders, made, home(made))
            ledger.put(made)
        assert put_right(ledger, folders) == ([], [])


jobs = st.builds(job, st.sampled_from(Status), changed=st.sampled_from([1999.0, 2000.0, 2001.0]))
found = st.builds(Found, st.sampled_from(Part), st.booleans(), st.none() | jobs)


@settings(max_examples=400)
@given(st.none() | jobs, st.none() | found, st.booleans(), st.booleans())
def test_one_decision_is_enough(known: Job | None, disk: Found | None, is_published: bool, moved: bool) -> None:  # noqa: FBT001 - hypothesis draws them
    """After what was decided is done there is nothing left to decide, nothing runs, and no recording was given up."""
    decision = decide(known, disk, is_published=is_published, has_progressed=moved, now=NOW, policy=POLICY)
    if decision is None:
        return
    if decision.job is None:
        assert known is None
        assert disk is not None
        assert not disk.has_source
        return
    assert decision.job.status is not Status.RUNNING
    after = None if disk is None else Found(home(decision.job), disk.has_source, decision.job)
    assert decide(decision.job, after, is_published=is_published, has_progressed=moved, now=NOW, policy=POLICY) is None


def test_filing_writes_the_job_and_moves_its_folder(folders: StateFolders) -> None:
    place(folders, job(Status.RUNNING))
    done = job(Status.COMPLETED)
    assert file_away(folders, done) == folders.archive / done.id
    assert read_job(folders.archive / done.id) == done
    assert folders.find(done.id) == folders.archive / done.id
    assert file_away(folders, job(Status.COMPLETED, 2)) is None
    with pytest.raises(JobError):
        read_job(folders.work)
