from __future__ import annotations

import dataclasses
import json
import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from trax.config import Retries
from trax.errors import DamagedRecording, DiskFull, JobError, TraxError, WorkerCrashed
from trax.jobs import job as machine
from trax.jobs.job import MOST_INTERRUPTIONS, Job, Status, new_job_id
from trax.jobs.record import from_plain, to_plain
from trax.jobs.retry import delay

POLICY = Retries(max_attempts=3, first_delay_seconds=30.0, max_delay_seconds=3600.0)
CRASH = WorkerCrashed("It ended by signal 11.")
DAMAGED = DamagedRecording("It is cut short.")
FULL = DiskFull("No room.")
SETTINGS = {"a": 1, "diarize": {"max_speakers": 9}}
OTHER = ({"a": 1, "diarize": {"max_speakers": 2}}, "0022", ("transcribe",))


def claimed(**fields: object) -> Job:
    job = Job("20261122-190512-7f3a9c", "talk.mp3", "talk", ("transcribe",), SETTINGS, "0011", created=100.0, changed=100.0)
    return dataclasses.replace(job, **fields)


def queued() -> Job:
    return machine.accept(claimed(), media_id="ab" * 32, size=10, modified=5, now=101.0)


def running() -> Job:
    return machine.start(queued(), 102.0)


def done() -> Job:
    return machine.complete(running(), 200.0, duplicate_of="earlier")


class TestIds:
    def test_look_as_documented_and_sort_by_time(self) -> None:
        assert new_job_id(1_795_374_312.0, 0x7F3A9C) == "20261122-190512-7f3a9c"
        ids = [new_job_id(moment, random.getrandbits(64)) for moment in range(1_000_000_000, 1_000_200_000, 997)]
        assert ids == sorted(ids)


class TestTransitions:
    def test_the_way_of_a_recording(self) -> None:
        job = machine.complete(machine.enter_stage(running(), "decode", 103.0), 110.0)
        assert (job.status, job.attempts, job.started, job.finished, job.stage) == (Status.COMPLETED, 1, 102.0, 110.0, None)

    def test_an_attempt_is_counted_when_it_starts(self) -> None:
        assert queued().attempts == 0
        assert running().attempts == 1

    def test_a_transient_error_waits_and_is_final_when_attempts_are_used_up(self) -> None:
        job = running()
        for _ in range(2):
            job = machine.fail(job, CRASH, 200.0, POLICY, jitter=0.5)
            assert job.status is Status.QUEUED
            assert job.not_before is not None
            assert job.not_before > 200.0
            job = machine.start(job, 300.0)
        job = machine.fail(job, CRASH, 400.0, POLICY, jitter=0.5)
        assert (job.status, job.attempts, job.not_before) == (Status.FAILED, 3, None)
        assert job.error is not None
        assert job.error["code"] == "worker-crashed"
        assert job.error["what"] == "It ended by signal 11. This was the last of 3 attempts."
        assert "trax-ctl retry" in job.error["advice"]

    def test_a_permanent_error_is_final_at_once(self) -> None:
        job = machine.fail(running(), DAMAGED, 200.0, POLICY, 0.0)
        assert (job.status, job.error) == (Status.FAILED, DAMAGED.as_dict())

    def test_one_that_is_tried_again_waits_behind_those_that_came_meanwhile(self) -> None:
        again = machine.fail(running(), CRASH, 200.0, POLICY, jitter=0.0)
        came_meanwhile, came_later = (dataclasses.replace(queued(), created=moment) for moment in (150.0, 250.0))
        assert sorted([again, came_later, came_meanwhile], key=machine.turn) == [came_meanwhile, again, came_later]
        interrupted = machine.interrupt(machine.start(again, 300.0), 301.0)
        assert machine.turn(interrupted) == machine.turn(queued())

    def test_what_is_not_running_fails_at_once(self) -> None:
        assert machine.fail(claimed(), FULL, 200.0, POLICY, 0.0).status is Status.FAILED
        assert machine.fail(queued(), CRASH, 200.0, POLICY, 0.0).status is Status.FAILED

    @pytest.mark.parametrize(
        "after", [machine.interrupt(running(), 200.0), machine.wait(running(), FULL, 200.0, 30.0), machine.reopen(running(), 200.0)]
    )
    def test_a_stop_a_full_disk_and_a_changed_recording_charge_nothing(self, after: Job) -> None:
        assert after.attempts == 0

    def test_a_claimed_recording_that_cannot_be_read_stays_claimed_until_it_can(self) -> None:
        waiting = machine.wait(claimed(), FULL, 200.0, 30.0)
        assert (waiting.status, waiting.attempts, waiting.not_before, waiting.error) == (Status.CLAIMED, 0, 230.0, FULL.as_dict())
        assert (machine.retry(waiting, 201.0).status, machine.retry(waiting, 201.0).not_before) == (Status.CLAIMED, None)
        accepted = machine.accept(waiting, media_id="ab" * 32, size=10, modified=5, now=240.0)
        assert (accepted.not_before, accepted.error, machine.turn(accepted)) == (None, None, accepted.created)

    def test_a_full_disk_is_waited_for(self) -> None:
        job = machine.wait(running(), FULL, 200.0, 30.0)
        assert (job.status, job.not_before) == (Status.QUEUED, 230.0)
        assert job.error is not None
        assert job.error["code"] == "disk-full"

    def test_the_death_of_trax_charges_no_attempt_but_is_not_survived_for_ever(self) -> None:
        job = running()
        for interruption in range(1, MOST_INTERRUPTIONS):
            job = machine.recover(job, 200.0, has_progressed=False)
            assert (job.status, job.attempts, job.interruptions) == (Status.QUEUED, 0, interruption)
            job = machine.start(job, 201.0)
        last = machine.recover(job, 202.0, has_progressed=False)
        assert (last.status, last.attempts) == (Status.FAILED, 1)
        assert last.error is not None
        assert f"{MOST_INTERRUPTIONS} times in a row" in last.error["what"]
        assert machine.retry(last, 203.0).interruptions == 0
        assert machine.recover(job, 202.0, has_progressed=True).interruptions == 0

    @pytest.mark.parametrize(
        "end",
        [
            lambda job: machine.interrupt(job, 200.0),
            lambda job: machine.wait(job, FULL, 200.0, 30.0),
            lambda job: machine.reopen(job, 200.0),
            lambda job: machine.fail(job, CRASH, 200.0, POLICY, 0.5),
        ],
    )
    def test_a_run_that_trax_survives_ends_the_row(self, end: Callable[[Job], Job]) -> None:
        interrupted = machine.start(machine.recover(running(), 150.0, has_progressed=False), 160.0)
        assert interrupted.interruptions == 1
        assert end(interrupted).interruptions == 0

    def test_an_attempt_that_a_worker_cost_stays_charged_when_trax_dies_in_the_next(self) -> None:
        job = machine.start(machine.fail(running(), CRASH, 200.0, POLICY, 0.5), 300.0)
        assert machine.recover(job, 301.0, has_progressed=False).attempts == 1

    def test_retry_resets_and_keeps_the_settings_unless_given_others(self) -> None:
        failed = machine.fail(running(), DAMAGED, 200.0, POLICY, 0.0)
        again = machine.retry(failed, 300.0)
        assert (again.status, again.attempts, again.error, again.finished, again.settings_hash) == (Status.QUEUED, 0, None, None, "0011")
        other = machine.retry(failed, 300.0, ({"a": 2}, "0022", ("transcribe", "diarize")))
        assert (other.settings, other.settings_hash, other.stages) == ({"a": 2}, "0022", ("transcribe", "diarize"))

    def test_retry_of_what_was_never_validated_validates_it(self) -> None:
        assert machine.retry(machine.fail(claimed(), DAMAGED, 200.0, POLICY, 0.0), 300.0).status is Status.CLAIMED

    def test_a_completed_job_is_only_done_again_with_other_settings(self) -> None:
        done = machine.complete(running(), 200.0)
        with pytest.raises(JobError, match="completed"):
            machine.retry(done, 300.0)
        assert machine.retry(done, 300.0, ({}, "0022", ())).status is Status.QUEUED

    def test_retry_cuts_a_wait_short(self) -> None:
        waiting = machine.fail(running(), CRASH, 200.0, POLICY, 0.5)
        assert machine.retry(waiting, 201.0).not_before is None
        with pytest.raises(JobError):
            machine.retry(queued(), 300.0)

    def test_speakers_are_sought_anew_with_the_settings_given_and_the_answer_is_another(self) -> None:
        again = machine.rediarize(done(), 300.0, OTHER)
        assert (again.status, again.settings, again.settings_hash, again.attempts) == (Status.QUEUED, *OTHER[:2], 0)
        assert machine.complete(machine.start(again, 301.0), 310.0).standing is None

    @pytest.mark.parametrize(
        "end",
        [
            lambda job: machine.fail(machine.start(job, 301.0), DAMAGED, 302.0, POLICY, 0.0),
            lambda job: machine.fail(job, DAMAGED, 302.0, POLICY, 0.0),
            lambda job: machine.cancel(job, 302.0),
            lambda job: machine.cancel(machine.start(job, 301.0), 302.0),
            lambda job: machine.recover(
                dataclasses.replace(machine.start(job, 301.0), interruptions=MOST_INTERRUPTIONS), 302.0, has_progressed=False
            ),
        ],
    )
    def test_where_that_comes_to_nothing_the_job_is_what_it_was_and_says_why(self, end: Callable[[Job], Job]) -> None:
        before = done()
        after = end(machine.rediarize(before, 300.0, OTHER))
        assert after.error is not None
        unchanged = {"error": None, "changed": before.changed, "attempts": before.attempts, "interruptions": 0}
        assert dataclasses.replace(after, **unchanged) == before

    def test_only_a_completed_job_has_speakers_to_seek_anew(self) -> None:
        for job in (claimed(), queued(), running(), machine.fail(running(), DAMAGED, 200.0, POLICY, 0.0)):
            with pytest.raises(JobError, match="cannot be rediarized"):
                machine.rediarize(job, 300.0, OTHER)

    def test_a_retry_of_one_that_waits_keeps_the_former_answer_but_with_other_settings(self) -> None:
        waiting = machine.wait(machine.start(machine.rediarize(done(), 300.0, OTHER), 301.0), FULL, 302.0, 30.0)
        assert machine.retry(waiting, 303.0).standing == waiting.standing
        assert machine.retry(waiting, 303.0, OTHER).standing is None

    def test_only_what_runs_is_completed(self) -> None:
        assert machine.complete(running(), 200.0, duplicate_of="x").duplicate_of == "x"
        with pytest.raises(JobError):
            machine.complete(claimed(), 200.0, duplicate_of="x")

    def test_time_that_is_set_back_does_not_make_a_job_older(self) -> None:
        assert queued().changed < machine.start(queued(), 50.0).changed < 101.1


class Machine(RuleBasedStateMachine):
    """Any sequence of events keeps a job in order; an event that the picture does not have raises and changes nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 100.0
        self.job = claimed()
        self.starts = 0

    def apply(self, event: str, allowed: set[Status], *arguments: object, **named: object) -> None:
        self.now += 1.0
        try:
            after: Job = getattr(machine, event)(self.job, *(self.now if a == "now" else a for a in arguments), **named)
        except JobError:
            assert self.job.status not in allowed
        else:
            assert self.job.status in allowed
            self.job = after

    @rule()
    def accept(self) -> None:
        self.apply("accept", {Status.CLAIMED}, media_id="ab", size=1, now=self.now)

    @rule()
    def start(self) -> None:
        self.apply("start", {Status.QUEUED}, "now")

    @rule()
    def enter_stage(self) -> None:
        self.apply("enter_stage", {Status.RUNNING}, "decode", "now")

    @rule()
    def complete(self) -> None:
        self.apply("complete", {Status.RUNNING}, "now")

    @rule()
    def complete_by_another(self) -> None:
        self.apply("complete", {Status.RUNNING}, "now", duplicate_of="other")

    @rule(error=st.sampled_from([CRASH, DAMAGED]), jitter=st.floats(0, 0.999))
    def fail(self, error: TraxError, jitter: float) -> None:
        self.apply("fail", {Status.CLAIMED, Status.QUEUED, Status.RUNNING}, error, "now", POLICY, jitter)

    @rule()
    def interrupt(self) -> None:
        self.apply("interrupt", {Status.RUNNING}, "now")

    @rule()
    def wait(self) -> None:
        self.apply("wait", {Status.CLAIMED, Status.RUNNING}, FULL, "now", 30.0)

    @rule()
    def reopen(self) -> None:
        self.apply("reopen", {Status.RUNNING, Status.FAILED, Status.COMPLETED}, "now")

    @rule(has_progressed=st.booleans())
    def crash_and_recover(self, has_progressed: bool) -> None:  # noqa: FBT001 - hypothesis draws it
        self.apply("recover", {Status.RUNNING}, "now", has_progressed=has_progressed)

    @rule()
    def cancel(self) -> None:
        self.apply("cancel", {Status.CLAIMED, Status.QUEUED, Status.RUNNING}, "now")

    @precondition(lambda self: self.job.is_finished)
    @rule()
    def retry(self) -> None:
        self.apply("retry", {Status.FAILED, Status.CANCELLED}, "now")

    @precondition(lambda self: self.job.status is Status.COMPLETED)
    @rule()
    def rediarize(self) -> None:
        self.apply("rediarize", {Status.COMPLETED}, "now", OTHER)

    @rule()
    def through_the_disk(self) -> None:
        assert from_plain(json.loads(json.dumps(to_plain(self.job)))) == self.job

    @invariant()
    def is_in_order(self) -> None:
        job = self.job
        assert 0 <= job.attempts <= POLICY.max_attempts
        assert 0 <= job.interruptions <= MOST_INTERRUPTIONS
        assert (job.interruptions == MOST_INTERRUPTIONS) <= job.is_finished
        assert (job.status is Status.RUNNING) <= (job.attempts >= 1)
        assert job.is_finished == (job.finished is not None)
        assert (job.not_before is not None) <= (job.status in {Status.CLAIMED, Status.QUEUED})
        assert (job.status in {Status.QUEUED, Status.RUNNING}) <= (job.media_id != "")
        assert (job.status is Status.FAILED) <= (job.error is not None)
        assert (job.standing is not None) <= (job.status in {Status.QUEUED, Status.RUNNING})
        assert job.settings == (SETTINGS if job.standing is None and job.settings_hash == "0011" else OTHER[0])
        assert job.created <= job.changed <= self.now


TestMachine = Machine.TestCase


class TestDelay:
    @given(st.integers(1, 10_000), st.floats(0, 0.999))
    def test_stays_within_half_and_the_whole_of_the_longest(self, attempts: int, jitter: float) -> None:
        whole = min(30.0 * 2.0 ** min(attempts - 1, 100), 3600.0)
        assert whole / 2 <= delay(POLICY, attempts, jitter) <= whole

    def test_doubles(self) -> None:
        assert [delay(POLICY, attempt, 0.0) for attempt in (1, 2, 3)] == [15.0, 30.0, 60.0]


class TestRecords:
    @given(st.text(st.characters(), max_size=20), st.binary(max_size=20))
    def test_any_name_comes_back(self, text: str, raw: bytes) -> None:
        name = text + raw.decode("utf-8", "surrogateescape")
        job = claimed(source_name=name, error={"code": "x", "what": name, "advice": "", "file": None, "permanent": True})
        stored = json.dumps(to_plain(job), ensure_ascii=False).encode()
        assert from_plain(json.loads(stored)) == job

    def test_a_record_of_before_there_were_these_is_read(self) -> None:
        plain = to_plain(running())
        del plain["interruptions"], plain["standing"]
        assert from_plain(plain) == running()

    @pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Job)])
    def test_the_reader_misses_every_field_and_refuses_a_wrong_type(self, field: str) -> None:
        plain = to_plain(running())
        if field not in {"interruptions", "standing"}:
            with pytest.raises(JobError):
                from_plain({key: value for key, value in plain.items() if key != field})
        with pytest.raises(JobError):
            from_plain(plain | {field: 7 if field in {"settings", "error"} else {"of": ["no", "such", "type"]}})

    def test_the_reader_refuses_what_it_does_not_know(self) -> None:
        with pytest.raises(JobError, match="surprise"):
            from_plain(to_plain(running()) | {"surprise": 1})
