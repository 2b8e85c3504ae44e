"""Stopping and standing still: the daemon is stopped at random moments again and again, and frozen while somebody plays systemd.

A stop must be quick (a second when idle, ten when busy), end with status 0, charge no attempt and lose nothing. The watchdog must catch
a daemon that stands still, and never one that works on something long.
"""

from __future__ import annotations

import math
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from subprocess import TimeoutExpired

from appliance import Appliance, read_json
from speech_data import SAMPLE_RATE, open_wav, read_audio

from attacks import Findings, Size
from attacks.clips import CONVERSATION, speech_clips
from attacks.systemd import Systemd
from trax.cli.client import ask
from trax.errors import ControlError
from trax.jobs.job import Status

#: What the promise allows, seconds.
IDLE, BUSY = 1.0, 10.0
_SETTINGS: dict[str, dict[str, object]] = {
    "intake": {"settle_seconds": 0.2, "rescan_seconds": 3.0},
    "output": {"formats": ["json", "srt", "vtt"]},
}
_NO_STAGE, _STARTING = "between stages", "starting"
#: The longest run between two stops, seconds.
_LONGEST_RUN = 4.0
_PATIENCE_S = 300.0
_HUGE_BYTES = 40 << 30
#: How often systemd wants to hear of the daemon that works on something long, and of the one that is frozen, seconds.
_WATCHDOG = 2.0


def attack(size: Size, work: Path) -> Findings:
    """Stop it often, stop it in the middle of what takes long, freeze it; the test form leaves a loaded machine five times as long."""
    patience = 5.0 if size.is_test else 1.0
    clips = speech_clips(work / "clips", size.pick(200, 20, 4), seed=size.seed, seconds=(1.5, 6.0))
    stops = _Stops(work / "often", clips, random.Random(size.seed), patience)
    stops.stop_often(size.pick(100, 12, 2))
    hashing = _Stops(work / "huge", (), random.Random(size.seed), patience)
    hashing.stop_in_a_hash()
    frozen, caught = _freeze(work / "frozen")
    gap, worked = _work_long(work / "long", 0.3 if size.is_test else size.pick(180, 1, 1), _WATCHDOG * patience)
    silent = [f"the watchdog would have ended a daemon at work: silent for {gap:.1f} s"] if gap > _WATCHDOG * patience else []
    met = ", ".join(f"{stage} {count}" for stage, count in sorted(stops.met.items()))
    return Findings(
        f"{len(stops.busy) + len(stops.idle)} stops over {len(clips)} recordings at random moments (in: {met}), and one in the middle of "
        f"hashing {_HUGE_BYTES >> 30} GB; a daemon frozen under a watchdog of {_WATCHDOG:g} s; {worked} under one of "
        f"{_WATCHDOG * patience:g} s.",
        (*stops.violations, *hashing.violations, *frozen, *silent),
        (
            f"Stopped within {max(stops.busy):.2f} s when busy, {max(hashing.busy):.2f} s when hashing, {max(stops.idle):.2f} s when idle.",
            f"Frozen, it was ended after {caught:.1f} s; at work, the longest time without a sign of life was {gap:.2f} s.",
        ),
    )


class _Stops:
    """Runs over one root that are stopped. `busy` and `idle` are the seconds that stops took, `met` the stages that were interrupted."""

    def __init__(self, root: Path, clips: Sequence[Path], randomness: random.Random, patience: float) -> None:
        self.busy: list[float] = []
        self.idle: list[float] = []
        self.met: Counter[str] = Counter()
        self.violations: list[str] = []
        self._root = root
        self._clips = list(clips)
        self._random = randomness
        self._patience = patience

    def stop_often(self, times: int) -> None:
        """Stop at random moments, the clips being dropped over all runs; then let it finish, and look."""
        left = list(self._clips)
        for number in range(times):
            with Appliance(self._root, _SETTINGS) as appliance:
                for _ in range(-(-len(left) // (times - number))):
                    appliance.drop(left.pop())
                _until_it_can_be_asked_to_stop(appliance)
                time.sleep(self._random.uniform(0.0, _LONGEST_RUN))
                self.met.update(_stages(appliance) or [_NO_STAGE])
                self.busy.append(self.stop(appliance))
            self.look_at_attempts(appliance)
        with Appliance(self._root, _SETTINGS) as appliance:
            names = {path.stem for path in self._clips}
            patience = _PATIENCE_S + 10 * len(names)
            appliance.wait_until(lambda: len(appliance.transcripts()) + len(appliance.errors()) >= len(names), patience)
            appliance.wait_until(lambda: not _stages(appliance), _PATIENCE_S)  # all may have been done before it was even started
            self.idle.append(self.stop(appliance, limit=IDLE))
            self._look_at_the_end(appliance, names)

    def stop_in_a_hash(self) -> None:
        """Stop it while it hashes a file with holes that takes longer than a stop may."""
        settings: dict[str, object] = {**_SETTINGS, "intake": {**_SETTINGS["intake"], "max_size_mb": 1e6}}
        with Appliance(self._root, settings) as appliance:
            with (self._root / "huge.wav").open("wb") as huge:
                huge.truncate(_HUGE_BYTES)
            (self._root / "huge.wav").rename(appliance.inbox / "huge.wav")
            appliance.wait_until(lambda: any((self._root / "state" / "work").glob("*/source")), _PATIENCE_S)
            self.busy.append(self.stop(appliance))
            self.look_at_attempts(appliance)

    def stop(self, appliance: Appliance, limit: float = BUSY) -> float:
        """Stop it and return the seconds that took."""
        began = time.monotonic()
        try:
            status = appliance.stop(10 * BUSY)
        except TimeoutExpired:
            self.violations.append(f"it had not stopped after {10 * BUSY:.0f} s")
            os.kill(appliance.pid, signal.SIGKILL)
            status = appliance.wait(BUSY)
        took = time.monotonic() - began
        if took > self._patience * limit:
            self.violations.append(f"a stop took {took:.1f} s, and {limit:g} s are allowed")
        if status != 0:
            self.violations.append(f"it ended with status {status}:\n{appliance.log_tail()[-500:]}")
        return took

    def look_at_attempts(self, appliance: Appliance) -> None:
        """See that nobody was charged for a stop."""
        for job in appliance.jobs():
            if job.status is Status.RUNNING or (job.status is Status.QUEUED and job.attempts):
                self.violations.append(f"{job.source_name} is {job.status.value} with {job.attempts} attempts after a stop")

    def _look_at_the_end(self, appliance: Appliance, names: set[str]) -> None:
        if set(appliance.transcripts()) != names:
            self.violations.append(f"not one transcript for each: {sorted(names ^ set(appliance.transcripts()))}")
        for job in appliance.jobs():
            if job.status is not Status.COMPLETED or job.attempts != 1:
                self.violations.append(f"{job.source_name} is {job.status.value} after {job.attempts} attempts")


def _until_it_can_be_asked_to_stop(appliance: Appliance) -> None:
    """Until it catches SIGTERM. While Python itself starts, the signal ends it as any process, which is a clean stop to systemd too."""
    status = Path(f"/proc/{appliance.pid}/status")

    def catches() -> bool:
        caught = next(line for line in status.read_text(encoding="ascii").splitlines() if line.startswith("SigCgt"))
        return bool(int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1)

    appliance.wait_until(catches, _PATIENCE_S, every_s=0.005)


def _stages(appliance: Appliance) -> list[str]:
    """The stages that the jobs under way are in. One that does not answer yet is not idle: it is starting."""
    try:
        running = ask(appliance.socket, {"command": "status"}, timeout=BUSY)["running"]
    except ControlError:
        return [_STARTING]
    return [view["stage"] or _NO_STAGE for view in running]


def _freeze(root: Path) -> tuple[list[str], float]:
    """Freeze a daemon under a watchdog, as a debugger does; returns violations and after how many seconds it ended."""
    with Systemd(root.with_suffix(".socket"), _WATCHDOG) as systemd, Appliance(root, _SETTINGS, command=systemd.started) as appliance:
        systemd.wait_for("READY=1", _PATIENCE_S)
        os.kill(appliance.pid, signal.SIGSTOP)
        began = time.monotonic()
        if not systemd.watch(appliance.pid, seconds=10 * _WATCHDOG):
            return ["a frozen daemon went on being trusted"], time.monotonic() - began
        status = appliance.wait(BUSY)
        took = time.monotonic() - began
    found = [] if status == -signal.SIGABRT else [f"ended by the watchdog, it had status {status}"]
    with Appliance(root, _SETTINGS) as appliance:  # what systemd does next
        appliance.wait_until(appliance.answers, _PATIENCE_S)
    return found, took


def _repeat_conversation(path: Path, minutes: float) -> None:
    samples = read_audio(CONVERSATION)
    with open_wav(path) as writer:
        for _ in range(math.ceil(minutes * 60 * SAMPLE_RATE / len(samples))):
            writer.writeframes(samples.tobytes())


def _work_long(root: Path, minutes: float, watchdog: float) -> tuple[float, str]:
    """Work on a recording of so many minutes; returns the longest time without a sign of life, in seconds, and what was worked on."""
    with Systemd(root.with_suffix(".socket"), watchdog) as systemd, Appliance(root, _SETTINGS, command=systemd.started) as appliance:
        systemd.wait_for("READY=1", _PATIENCE_S)
        _repeat_conversation(root / "long.wav", minutes)
        (root / "long.wav").rename(appliance.inbox / "long.wav")
        appliance.wait_until(lambda: bool(appliance.transcripts() or appliance.errors()), _PATIENCE_S + 180 * minutes, each=systemd.hear)
        words = read_json(appliance.transcripts()["long"])["word_count"]
        return systemd.longest_gap, f"a recording of {minutes:g} minutes with {words} words"
