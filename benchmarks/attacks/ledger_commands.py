"""Four processes give commands at once: to a daemon, to one that comes and goes, and to none; and second daemons are started.

Every command is the whole of trax-ctl, from its command line to its exit code. Each process has jobs of its own and knows after each
command what must have become of them; some jobs are everybody's, and of each change of these exactly one process may have made it.
"""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psutil
from appliance import Appliance, trax_ctl

from attacks.clips import speech_clips
from attacks.commander import DONE, FAILED, TRY_LATER, UNREACHABLE, Said, give, obey
from trax.cli.client import ask
from trax.jobs.job import Status

_PROCESSES = 4
#: Jobs that each process has for itself, and those that all share.
_OWN, _SHARED = 4, 2
#: Jobs that are held in the workers' hands, so that the others stay in the queue.
_HELD = 2
_SETTINGS = {"max_workers": 1, "intake": {"settle_seconds": 0.3}, "output": {"formats": ["json"]}, "stages": {"diarize": False}}
_PATIENCE_S = 120.0


@dataclass(frozen=True, slots=True)
class Exits:
    """How long second daemons took to end, in seconds, and what was wrong with them."""

    seconds: tuple[float, ...]
    violations: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Commanded:
    """How many commands were given, how many were refused because no daemon could take them just then, and what was wrong."""

    given: int
    refused: int
    violations: tuple[str, ...]


def second_daemons(root: Path, count: int) -> Exits:
    """Start `count` daemons, one after the other, over a root that has one."""
    seconds, violations = [], []
    with Appliance(root, _SETTINGS) as first:
        first.wait_until(first.answers, _PATIENCE_S)
        for _ in range(count):
            began = time.monotonic()
            second = subprocess.run(
                [sys.executable, "-m", "trax.service.main", "--config", root / "trax.yaml"],
                capture_output=True, check=False, text=True, timeout=_PATIENCE_S,
            )  # fmt: skip
            seconds.append(time.monotonic() - began)
            if second.returncode != TRY_LATER or "Another traxd" not in second.stderr:
                violations.append(f"A second daemon exits {second.returncode} and says: {second.stderr}")
        if not first.answers():
            violations.append("The first daemon does not answer any more.")
    return Exits(tuple(seconds), tuple(violations))


def change_at_once(root: Path, count: int, seed: int, pool: Executor) -> Commanded:
    """Four processes, a daemon that runs: every command does exactly what it says."""
    with _Queue(root, seed) as queue:
        queue.hold()
        said = queue.command(count, seed, pool)
        for _ in range(max(1, count // 100)):
            queue.ask_from_a_shell()
        found = [*queue.judge_own(said), *queue.judge_shared(said)]
        found += [f"`trax-ctl {each.word} {each.job}` exits {each.code}." for each in said if each.code not in (DONE, FAILED)]
        return Commanded(count, 0, tuple(found))


def change_while_absent(root: Path, count: int, seed: int, pool: Executor) -> Commanded:
    """Four processes and no daemon: what they were told is kept is done when there is one."""
    with _Queue(root, seed) as queue:
        queue.hold()
        for job in queue.own[0]:
            give(queue.config, "cancel", job)
        before = queue.statuses()
        queue.stop()
        said = queue.command(count, seed, pool)
        kept = sum(each.is_kept for each in said)
        left = len(list((root / "state" / "requests").glob("*.json")))
        found = [] if left == kept else [f"{kept} commands were said to be kept and {left} are."]
        queue.start()
    after = queue.statuses()
    for job, status in before.items():
        words = {each.word for each in said if each.job == job and each.is_kept}
        if words - {"cancel" if status is Status.QUEUED else "retry"}:
            found.append(f"{words} were kept for job {job}, which is {status}.")
        if bool(words) == ((after[job] is Status.CANCELLED) == (status is Status.CANCELLED)):
            found.append(f"Job {job} was {status}, {words or 'nothing'} was asked for it, and it is {after[job]}.")
    return Commanded(count, 0, tuple(found))


def change_while_it_restarts(root: Path, count: int, seed: int, pool: Executor) -> Commanded:
    """Four processes while the daemon is stopped, killed and started: a command has said that it failed, or has its effect."""
    randomness = random.Random(seed)
    with _Queue(root, seed) as queue:
        futures = queue.begin(count, seed, pool)
        while not all(future.done() for future in futures):
            time.sleep(randomness.uniform(0.0, 1.0))
            queue.kill() if randomness.random() < 0.5 else queue.stop()  # noqa: PLR2004 - one as often as the other
            time.sleep(randomness.uniform(0.0, 0.5))
            queue.start()
        said = [each for future in futures for each in future.result()]
        found = list(queue.judge_restarted(said))
        running = ask(root / "state" / "traxd.sock", {"command": "status"})["running"][0]["id"]
        if give(queue.config, "cancel", running).code == DONE:
            queue.kill()
            queue.start()
            if queue.statuses(of=(running,))[running] is not Status.CANCELLED:
                found.append(f"Job {running} ran, was cancelled, and goes on after the daemon was killed.")
    return Commanded(count, sum(each.code in (UNREACHABLE, TRY_LATER) for each in said), tuple(found))


class _Queue:
    """A real daemon with a queue of jobs that nobody works on: the workers have long recordings in hand, and stand still once held."""

    def __init__(self, root: Path, seed: int) -> None:
        self._root = root
        self._seed = seed
        self.config = str(root / "trax.yaml")
        self.own: list[list[str]] = []
        self.shared: list[str] = []

    def __enter__(self) -> Self:
        self.start()
        held = speech_clips(self._root / "held", _HELD, seed=self._seed, seconds=(30.0, 31.0))
        self._drop(held, _HELD)
        count = _PROCESSES * _OWN + _SHARED
        self._drop(speech_clips(self._root / "clips", count, seed=self._seed), _HELD + count)
        ids = [job.id for job in self._appliance.jobs()][_HELD:]
        self.own = [ids[number * _OWN : (number + 1) * _OWN] for number in range(_PROCESSES)]
        self.shared = ids[_PROCESSES * _OWN :]
        return self

    def __exit__(self, *exception: object) -> None:
        self.kill()

    def _drop(self, clips: Sequence[Path], expected: int) -> None:
        for clip in clips:
            self._appliance.drop(clip, f"{clip.parent.name}-{clip.name}")
        taken = {Status.QUEUED, Status.RUNNING}
        self._appliance.wait_until(lambda: sum(job.status in taken for job in self._appliance.jobs()) == expected, _PATIENCE_S)

    def start(self) -> None:
        """Start the daemon and wait until it answers."""
        self._appliance = Appliance(self._root, _SETTINGS).__enter__()
        self._appliance.wait_until(self._appliance.answers, _PATIENCE_S, every_s=0.05)

    def stop(self) -> None:
        """Stop the daemon as systemd does."""
        self._appliance.stop()

    def kill(self) -> None:
        """End the daemon and all its processes as a crash does."""
        family = self._appliance.processes()
        self._appliance.kill()
        for process in family:
            if process.is_running():
                process.kill()

    def hold(self) -> None:
        """Make the workers stand still."""
        self._appliance.wait_until(lambda: any(worker["busy"] for worker in self._workers()), _PATIENCE_S)
        for worker in self._workers():
            psutil.Process(worker["pid"]).suspend()

    def _workers(self) -> list[dict[str, int]]:
        workers: list[dict[str, int]] = ask(self._appliance.socket, {"command": "status"}, timeout=_PATIENCE_S)["daemon"]["workers"]
        return workers

    def begin(self, count: int, seed: int, pool: Executor) -> list[Future[list[Said]]]:
        """Have each process begin its share of `count` commands."""
        each = count // _PROCESSES
        return [pool.submit(obey, self.config, own, self.shared, each, seed + number) for number, own in enumerate(self.own)]

    def command(self, count: int, seed: int, pool: Executor) -> list[Said]:
        """Have the processes give `count` commands, and wait for them."""
        return [each for future in self.begin(count, seed, pool) for each in future.result()]

    def ask_from_a_shell(self) -> None:
        """One trax-ctl as a process of its own. Raises CalledProcessError."""
        subprocess.run(trax_ctl(self._root, "status"), check=True, stdout=subprocess.DEVNULL, timeout=_PATIENCE_S)

    def statuses(self, of: Sequence[str] = ()) -> Mapping[str, Status]:
        """What the ledger on the disk says of these jobs, or of all but those in the workers' hands."""
        wanted = set(of) or {*self.shared, *(job for own in self.own for job in own)}
        return {job.id: job.status for job in self._appliance.jobs() if job.id in wanted}

    def judge_own(self, said: Sequence[Said]) -> Iterator[str]:
        """Follow each process's own jobs from command to command, and compare the last state with the disk's."""
        statuses = self.statuses()
        for job in (job for own in self.own for job in own):
            status = Status.QUEUED
            for each in (each for each in said if each.job == job and each.word != "status"):
                fits = (each.word == "cancel") == (status is Status.QUEUED)
                if (each.code == DONE) is not fits:
                    yield f"`trax-ctl {each.word} {job}` exits {each.code} though the job is {status}."
                if each.code == DONE:
                    status = Status.CANCELLED if each.word == "cancel" else Status.QUEUED
            if statuses.get(job) is not status:
                yield f"Job {job} should be {status} and is {statuses.get(job)}."

    def judge_shared(self, said: Sequence[Said]) -> Iterator[str]:
        """Cancelled once more than retried, or as often: a change that two believed to have made shows in the count."""
        statuses = self.statuses()
        for job in self.shared:
            done = [each.word for each in said if each.job == job and each.code == DONE]
            ahead = done.count("cancel") - done.count("retry")
            if ahead != (statuses[job] is Status.CANCELLED):
                times = f"cancelled {done.count('cancel')} times and retried {done.count('retry')} times"
                yield f"Job {job} was {times}, and is {statuses[job]}."

    def judge_restarted(self, said: Sequence[Said]) -> Iterator[str]:
        """What each own job may be, when commands that failed may have been done and those that did not were."""
        statuses = self.statuses()
        for job in (job for own in self.own for job in own):
            may_be_cancelled = {False}
            for each in (each for each in said if each.job == job and each.word != "status" and each.code != FAILED):
                effect = {each.word == "cancel"}
                may_be_cancelled = effect if each.code == DONE else may_be_cancelled | effect
            if (statuses[job] is Status.CANCELLED) not in may_be_cancelled:
                yield f"Job {job} is {statuses[job]} after {[(each.word, each.code) for each in said if each.job == job][-3:]}."
        for each in said:
            if each.code not in (DONE, FAILED, UNREACHABLE, TRY_LATER):
                yield f"`trax-ctl {each.word} {each.job}` exits {each.code}."
