"""Retries: workers are killed, the daemon is ended while jobs wait, artefacts are damaged, and the settings change in between."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from appliance import Appliance, read_json, trax_ctl

from attacks import Findings, Size
from attacks.clips import speech_clips
from trax.cli.client import ask
from trax.jobs.folders import StateFolders, home
from trax.jobs.job import Job, Status

_PATIENCE_S = 120.0
_ATTEMPTS, _FIRST_S, _LONGEST_S = 3, 2.0, 3.0
_OWN: Mapping[str, object] = {
    "intake": {"settle_seconds": 0.3},
    "retries": {"max_attempts": _ATTEMPTS, "first_delay_seconds": _FIRST_S, "max_delay_seconds": _LONGEST_S},
    "stages": {"diarize": False},
    "output": {"formats": ["json", "srt"]},
}
_CURRENT: Mapping[str, object] = {**_OWN, "stages": {"diarize": True}, "output": {"formats": ["json", "txt"]}}
#: Long enough to be met in the middle of the transcription, seconds.
_LENGTHS = (12.0, 15.0)


@dataclass(frozen=True, slots=True)
class _Failure:
    """A failed attempt as the ledger has it: how long the job is to wait, and until when."""

    job: str
    attempt: int
    wait: float
    until: float


class _Daemon:
    """The daemon over `root`, and what the attack asks of it."""

    def __init__(self, root: Path, settings: Mapping[str, object]) -> None:
        self.appliance = Appliance(root, settings)
        self.folders = StateFolders(root / "state")

    def start(self) -> None:
        self.appliance.__enter__()
        self.until(self.appliance.answers)

    def until(self, is_so: Callable[[], bool]) -> None:
        self.appliance.wait_until(is_so, _PATIENCE_S, every_s=0.05)

    def end(self, number: int) -> None:
        os.kill(self.appliance.pid, number)
        self.appliance.wait(_PATIENCE_S)

    def jobs(self) -> dict[str, Job]:
        """The jobs by the name of their recording."""
        return {job.source_name: job for job in self.appliance.jobs()}

    def finished(self, name: str) -> Job:
        """Wait until the job of that recording is finished and filed away."""

        def is_filed() -> bool:
            job = self.jobs().get(name)
            return job is not None and job.is_finished and not (self.folders.work / job.id).exists()

        self.until(is_filed)
        return self.jobs()[name]

    def retry(self, job: Job, *options: str) -> Job:
        """`trax-ctl retry`, then the job as it is when it has finished again. Raises CalledProcessError when that is refused."""
        subprocess.run(trax_ctl(self.appliance.root, "retry", job.id, *options), check=True, stdout=subprocess.DEVNULL)
        return self.finished(job.source_name)

    def stamps(self, job: Job) -> dict[str, tuple[int, int]]:
        """What tells whether a stage was run again: a stamp that was written anew is another file."""
        paths = (self.folders.root / home(job) / job.id).glob("*.stamp")
        return {path.stem: (path.stat().st_ino, path.stat().st_mtime_ns) for path in paths}

    def kill_transcribers(self) -> None:
        """Kill the workers that transcribe, if a job is that far."""
        status = ask(self.appliance.socket, {"command": "status"})
        if any(view["stage"] == "transcribe" for view in status["running"]):
            for worker in status["daemon"]["workers"]:
                if worker["lane"].startswith("transcribe") and worker["busy"]:
                    os.kill(worker["pid"], signal.SIGKILL)


def attack(size: Size, work: Path) -> Findings:
    """Fail jobs for passing and for lasting reasons, then retry them with their own and with other settings."""
    root = work / "root"
    root.mkdir()
    clips = speech_clips(work / "clips", size.pick(6, 3, 1), seed=size.seed, seconds=_LENGTHS)
    hopeless = _hopeless(work)
    daemon = _Daemon(root, _OWN)
    with daemon.appliance:
        daemon.until(daemon.appliance.answers)
        for path in (*hopeless, *clips):
            daemon.appliance.drop(path)
        failures, restarts, found = _fail_all(daemon, len(clips) + len(hopeless))
        found += _judge_waits(failures)
        found += [violation for path in clips for violation in _judge_exhausted(daemon.finished(path.name))]
        found += [violation for path in hopeless for violation in _judge_permanent(daemon.finished(path.name))]
        failed = {path.name: daemon.finished(path.name) for path in clips}

    daemon = _Daemon(root, _CURRENT)
    with daemon.appliance:
        daemon.until(daemon.appliance.answers)
        for number, job in enumerate(failed.values()):
            found += _resume(daemon, job, is_damaged=number % 2 == 1)
        found += _take_current_settings(daemon, daemon.jobs()[clips[0].name])
        found += _judge_permanent(daemon.retry(daemon.jobs()[hopeless[0].name]))
    waits = ", ".join(f"{failure.wait:.2f}" for failure in failures)
    return Findings(
        f"The workers of {len(clips)} recordings were killed in each attempt and the daemon ended {restarts} times while jobs waited; "
        f"{len(hopeless)} recordings had lasting faults; all were retried after the settings had changed, some with a damaged artefact.",
        tuple(found),
        (f"waits of {_FIRST_S:g} s, at most {_LONGEST_S:g} s, with jitter: {waits} s",),
    )


def _hopeless(work: Path) -> tuple[Path, ...]:
    """Recordings that no further attempt can help."""
    contents = {"text.wav": b"This is no sound.", "empty.wav": b"", "cut.wav": b"RIFF\xff\xff\x00\x00WAVEfmt \x10\x00"}
    paths = {work / name: content for name, content in contents.items()}
    for path, content in paths.items():
        path.write_bytes(content)
    return tuple(paths)


def _fail_all(daemon: _Daemon, count: int) -> tuple[list[_Failure], int, list[str]]:
    """Kill the worker in each attempt of each job, and the daemon during each wait, until all have failed for good."""
    failures: dict[tuple[str, int], _Failure] = {}
    found: list[str] = []
    restarts = 0

    def step() -> bool:
        nonlocal restarts
        jobs = daemon.jobs()
        for name, job in jobs.items():
            key = (name, job.attempts)
            former = failures.get((name, job.attempts - 1))
            if job.status is Status.RUNNING and former is not None and (job.started or 0.0) < former.until:
                found.append(f"{name} was tried again {former.until - (job.started or 0.0):.2f} s too early.")
            if job.status is Status.QUEUED and job.not_before is not None and key not in failures:
                failures[key] = _Failure(name, job.attempts, job.not_before - job.changed, job.not_before)
                daemon.end((signal.SIGKILL, signal.SIGTERM)[restarts % 2])
                daemon.start()
                restarts += 1
                after = daemon.jobs()[name]
                if after.status is Status.QUEUED and after.attempts == job.attempts and after.not_before != job.not_before:
                    found.append(f"{name} was to wait until {job.not_before:.3f}, and after a restart until {after.not_before}.")
                if after.attempts < job.attempts:
                    found.append(f"{name} got an attempt back by a restart while it waited.")
        daemon.kill_transcribers()
        return len(jobs) == count and all(job.is_finished for job in jobs.values())

    daemon.appliance.wait_until(step, _PATIENCE_S + 60.0 * count, every_s=0.05)
    return list(failures.values()), restarts, found


def _judge_waits(failures: list[_Failure]) -> list[str]:
    found = []
    for failure in failures:
        whole = min(_FIRST_S * 2.0 ** (failure.attempt - 1), _LONGEST_S)
        if not whole / 2 <= failure.wait <= whole:
            found.append(f"{failure.job} waited {failure.wait:.2f} s after attempt {failure.attempt}, not {whole / 2:g} to {whole:g} s.")
    if len(failures) > 1 and len({failure.wait for failure in failures}) == 1:
        found.append("All jobs wait for the same time: there is no jitter.")
    return found


def _judge_exhausted(job: Job) -> list[str]:
    error = job.error or {}
    if (job.status, job.attempts, error.get("code")) == (Status.FAILED, _ATTEMPTS, "worker-crashed"):
        return []
    return [f"{job.source_name}, whose worker died in each attempt, is {job.status} after {job.attempts} attempts: {error.get('what')}"]


def _judge_permanent(job: Job) -> list[str]:
    error = job.error or {}
    if job.status is Status.FAILED and job.attempts <= 1 and error.get("permanent") is True:
        return []
    return [f"{job.source_name}, which nothing can help, is {job.status} after {job.attempts} attempts: {error.get('what')}"]


def _resume(daemon: _Daemon, failed: Job, *, is_damaged: bool) -> list[str]:
    """Retry with the job's own settings: what is valid stays, what was damaged and what follows from it is made again."""
    before = daemon.stamps(failed)
    if is_damaged:
        with (daemon.folders.quarantine / failed.id / "vad.json").open("ab") as artefact:
            artefact.write(b" ")
    done = daemon.retry(failed)
    after = daemon.stamps(done)
    repeated = {stage for stage in before if after.get(stage) != before[stage]}
    name, found = failed.source_name, []
    if done.status is not Status.COMPLETED or done.attempts != 1:
        found.append(f"{name}, retried, is {done.status} after {done.attempts} attempts.")
    if set(before) != {"plan", "pcm", "vad"}:
        found.append(f"{name} failed in its transcription and had {sorted(before)} before.")
    if repeated != ({"vad"} if is_damaged else set()):
        found.append(f"{name}, retried, made {sorted(repeated)} again.")
    if done.settings_hash != failed.settings_hash or _formats(daemon, done) != {"json", "srt"}:
        found.append(f"{name}, retried, was not done with its own settings.")
    if (daemon.appliance.outbox / f"{done.output_name}.error.json").exists():
        found.append(f"{name} was done, and its former error is still there.")
    return found


def _take_current_settings(daemon: _Daemon, done: Job) -> list[str]:
    """Retry a completed job with the settings of now: they replace its own, and only what they change is made."""
    before = daemon.stamps(done)
    again = daemon.retry(done, "--current-settings")
    after = daemon.stamps(again)
    repeated = {stage for stage in before if after.get(stage) != before[stage]}
    found = []
    if again.settings_hash == done.settings_hash or _formats(daemon, again) != {"json", "txt"}:
        found.append(f"{done.source_name}, retried with --current-settings, was not done with them.")
    # Which models there are is asked anew, and the sound, which is not kept, is decoded again for the embeddings.
    if again.status is not Status.COMPLETED or repeated != {"plan", "pcm"} or set(after) - set(before) != {"embeddings", "turns"}:
        found.append(f"{done.source_name}, retried with --current-settings, is {again.status} and made {sorted(repeated)} again.")
    if not read_json(daemon.appliance.outbox / f"{again.output_name}.json")["turns"]:
        found.append(f"{done.source_name}, retried with diarization, has no turns.")
    return found


def _formats(daemon: _Daemon, job: Job) -> set[str]:
    return {path.name.removeprefix(f"{job.output_name}.") for path in daemon.appliance.outbox.glob(f"{job.output_name}.*")}
