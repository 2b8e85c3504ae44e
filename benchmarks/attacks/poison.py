"""Poison jobs: recordings that make what works on them crash, hang, eat memory or be killed, in each stage, with others in the queue."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path

import psutil
from appliance import Appliance, ApplianceError, read_json

from attacks import Findings, Size
from attacks.clips import speech_clips
from attacks.poisoned import DEEDS, STAGES, poison
from trax.cli.client import ask
from trax.jobs.job import Job, Status

#: What the answer must say, by deed. Where the decoder is short of memory, it is the recording that asks for too much: final at once.
_WORDS = {
    "segfault": "crashed (signal 11, SIGSEGV)",
    "hang": "did not answer for",
    "stop": "did not answer for",
    "kill": "was killed (signal 9, SIGKILL)",
    "eat": "memory",
    "abort": "crashed (signal 6, SIGABRT)",
    "exit": "ended with status 0",
}
_MOST_ATTEMPTS = 3
_TEST = (("transcribe", "segfault"), ("embed", "eat"), ("decode", "kill"))
_QUICK = (
    *_TEST,
    ("decode", "segfault"),
    ("decode", "hang"),
    ("decode", "eat"),
    ("plan", "kill"),
    ("vad", "abort"),
    ("transcribe", "hang"),
    ("embed", "stop"),
    ("cluster", "segfault"),
)
_ALL = tuple((stage, deed) for stage in STAGES for deed in DEEDS)
_HANG_SECONDS = 8.0
_DAEMON_BYTES = 300 << 20
_PATIENCE_S = 120.0

_SETTINGS = {
    "max_memory_gb": 2.0,
    "intake": {"settle_seconds": 0.3, "rescan_seconds": 3.0},
    "retries": {"max_attempts": _MOST_ATTEMPTS, "first_delay_seconds": 0.5, "max_delay_seconds": 2.0},
    "workers": {"hang_seconds": _HANG_SECONDS},
    "output": {"formats": ["json"]},
}


def attack(size: Size, work: Path) -> Findings:
    """Drop the poison first, then the others, and see what becomes of both."""
    cases = _TEST if size.is_test else _QUICK if size.quick else _ALL
    others = speech_clips(work / "others", size.pick(20, 20, 4), seed=size.seed)
    clips = speech_clips(work / "clips", len(cases), seed=size.seed + 1)
    poisons = {f"{stage}-{deed}": work / f"{stage}-{deed}.wav" for stage, deed in cases}
    for (stage, deed), clip, target in zip(cases, clips, poisons.values(), strict=True):
        poison(clip, target, stage, deed)
    command = (sys.executable, Path(__file__).with_name("poisoned.py"), "daemon")
    root = work / "root"
    with Appliance(root, _SETTINGS, command=command) as appliance:
        for path in (*poisons.values(), *others):
            appliance.drop(path)
        violations = _scores(appliance)
        names = {path.stem for path in others}
        to_others = appliance.wait_until(lambda: names <= set(appliance.transcripts()), _PATIENCE_S + 20 * len(cases))
        if not size.is_test and len(appliance.errors()) >= len(cases):
            violations.append("the others were done only after the last of the poison was given up")
        to_all = appliance.wait_until(
            lambda: len(appliance.errors()) >= len(cases), _PATIENCE_S + _MOST_ATTEMPTS * (2 * _HANG_SECONDS) * len(cases)
        )
        pid = int(ask(appliance.socket, {"command": "ping"}, timeout=_PATIENCE_S)["pid"])
        if pid != appliance.pid:
            violations.append(f"the daemon is another: {pid}, and was {appliance.pid}")
        if (held := psutil.Process(pid).memory_info().rss) > _DAEMON_BYTES:
            violations.append(f"the daemon has grown to {held >> 20} MB")
        status = appliance.stop()
        if status != 0:
            violations.append(f"the daemon ended with status {status}")
        violations += _judge(appliance, cases, names)
    return Findings(
        f"{len(cases)} recordings that make a stage crash, hang, eat memory or be killed "
        f"({', '.join(sorted({f'{stage} {deed}' for stage, deed in cases}))}), and {len(others)} others dropped with them.",
        tuple(violations),
        (f"The others were done after {to_others:.0f} s, the poison was given up {to_all:.0f} s later.",),
    )


def _scores(appliance: Appliance) -> list[str]:
    """Whether the kernel would end lane workers and decoders before the daemon."""
    unseen = {"trax.worker.lane", "trax.worker.decode"}

    def are_spared() -> bool:
        for process in appliance.processes()[1:]:
            with contextlib.suppress(OSError, psutil.Error):  # it ended between the list and the look
                if _score(process.pid) > _score(appliance.pid):
                    unseen.difference_update(process.cmdline())
        return not unseen

    try:
        appliance.wait_until(are_spared, _PATIENCE_S, every_s=0.02)
    except ApplianceError:
        return [f"the kernel would end the daemon as soon as {' and '.join(sorted(unseen))}"]
    return []


def _score(pid: int) -> int:
    return int(Path(f"/proc/{pid}/oom_score_adj").read_text(encoding="ascii"))


def _judge(appliance: Appliance, cases: Sequence[tuple[str, str]], others: set[str]) -> list[str]:
    jobs = {job.output_name: job for job in appliance.jobs()}
    found = [
        f"{name}: {jobs[name].status.value} after {jobs[name].attempts} attempts" for name in sorted(others) if not _is_done(jobs[name])
    ]
    for stage, deed in cases:
        job, name = jobs[f"{stage}-{deed}"], f"{stage}-{deed}"
        if job.status is not Status.FAILED or job.attempts > _MOST_ATTEMPTS:
            found.append(f"{name}: {job.status.value} after {job.attempts} attempts")
        if not (appliance.state / "quarantine" / job.id / "source").is_file():
            found.append(f"{name}: its recording is not in quarantine")
        error = read_json(appliance.errors()[name])
        if _WORDS[deed] not in error["why"]:
            found.append(f"{name}: the answer does not say why: {error['what']}")
        if not error["permanent"] and f"last of {job.attempts} attempts" not in error["why"]:
            found.append(f"{name}: the answer does not say how often it was tried: {error['what']}")
    return found


def _is_done(job: Job) -> bool:
    return job.status is Status.COMPLETED and job.attempts == 1
