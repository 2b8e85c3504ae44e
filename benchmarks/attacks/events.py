"""Missed and misleading events: whatever the watcher hears or does not hear, each recording is taken in once, and whole.

Real writers over real time: they pause longer than the settle time with the file open, with only a mapping of it left, or closed.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from appliance import Appliance, ApplianceError, read_json
from speech_data import SAMPLE_RATE

from attacks import Findings, Size
from attacks.clips import speech_clips
from attacks.media_files import encoded
from attacks.rights import without_right

_SETTLE_S = 0.5
_RESCAN_S = 4.0
_WAV_HEAD = 44
#: Seconds a busy machine may take over what is waited for.
_PATIENCE_S = 240.0
#: What is found by one rescan is taken in before the next; the test form leaves a loaded machine any time.
_ONE_RESCAN_S = 2 * _RESCAN_S + _SETTLE_S


def attack(size: Size, work: Path) -> Findings:
    """See the module."""
    clips = speech_clips(work / "clips", 16, seed=size.seed)
    files = max(size.pick(20_000, 0, 0), _queue() // 2 + 1)  # each tells of at least two things until the recording comes
    rounds = size.pick(4, 2, 1)
    with ThreadPoolExecutor() as together:  # they wait most of the time
        missed = together.submit(_missed, work / "missed", clips[:5], files)
        unheard = [together.submit(_unheard, work / limit, clip, limit) for limit, clip in zip(_LIMITS, clips, strict=False)]
        own = together.submit(_pauses, work / "own", clips[5:], rounds, own=True)
        others = together.submit(_pauses, work / "others", clips[5:], rounds, own=False)
    times, violations = missed.result()
    for each in unheard:
        told, wrong = each.result()
        times |= told
        violations += wrong
    if not size.is_test:
        violations += [
            f"taken in after more than one rescan, {taken:.1f} s, {how}" for how, taken in times.items() if taken > _ONE_RESCAN_S
        ]
    figures = (f"taken in {taken:.1f} s {how} (rescan {_RESCAN_S:g} s, settle {_SETTLE_S:g} s)" for how, taken in times.items())
    tried = (
        f"While the daemon was stopped by a signal {files:,} files came and went (the kernel keeps {_queue():,} events); the inbox was "
        "replaced by another folder, was gone for a while, was polled: a recording was dropped in the middle of each. "
        f"{'So it was' if _may_limit() else 'What could not be tried here, for want of user namespaces, is'} with no watcher at all, and "
        "in a folder for which the kernel had no watch left. "
        f"Writers, {rounds} of each kind, paused for longer than the settle time and went on: with the file open, with only a mapping of "
        "it, reopening it within the settle time, or resuming when the part was taken; the same where the kernel does not tell who writes, "
        "as on a share, where one also paused until its half was answered as damaged."
    )
    return Findings(tried, (*violations, *own.result(), *others.result()), tuple(figures))


def _queue() -> int:
    return int(Path("/proc/sys/fs/inotify/max_queued_events").read_text(encoding="ascii"))


def _settings(**intake: object) -> dict[str, Any]:
    return {
        "intake": {"settle_seconds": _SETTLE_S, "rescan_seconds": _RESCAN_S, **intake},
        "stages": {"diarize": False},
        "retries": {"first_delay_seconds": 0.1},
    }


# ── what the watcher does not hear ──


def _missed(root: Path, clips: tuple[Path, ...], files: int) -> tuple[dict[str, float], list[str]]:
    """Seconds until a recording was taken in, by what had happened, and violations."""
    times: dict[str, float] = {}
    violations: list[str] = []
    with Appliance(root, _settings()) as trax:
        trax.wait_until(trax.socket.exists, _PATIENCE_S)
        violations += _taken(trax, clips[0], "first", times, "with the watcher")
        os.kill(trax.pid, signal.SIGSTOP)
        for number in range(files):
            (trax.inbox / f"noise-{number}").touch()
        trax.drop(clips[1], "overflow.wav")
        for number in range(files):
            (trax.inbox / f"noise-{number}").unlink()
        os.kill(trax.pid, signal.SIGCONT)
        violations += _taken(trax, None, "overflow", times, "after more events than the kernel keeps")
        trax.inbox.rename(root / "former inbox")
        trax.inbox.mkdir()
        violations += _taken(trax, clips[2], "replaced", times, "in another folder in the inbox's place")
        shutil.rmtree(trax.inbox)
        time.sleep(_RESCAN_S)
        trax.inbox.mkdir()
        violations += _taken(trax, clips[3], "back", times, "in an inbox that was gone for a while")
        violations += _transcribed(trax, "first", "overflow", "replaced", "back")
    with Appliance(root, _settings(watch="polling")) as trax:
        trax.wait_until(trax.socket.exists, _PATIENCE_S)
        violations += _taken(trax, clips[4], "polled", times, "by polling")
        violations += _transcribed(trax, "polled")
    return times, violations


def _taken(trax: Appliance, clip: Path | None, name: str, times: dict[str, float], how: str) -> list[str]:
    """Drop a recording, if it is not there already, and see it taken in."""
    if clip is not None:
        trax.drop(clip, f"{name}.wav")
    try:
        times[how] = trax.wait_until(lambda: not (trax.inbox / f"{name}.wav").exists(), _PATIENCE_S, every_s=0.05)
    except ApplianceError as error:
        return [f"{name}.wav, {how}, was not taken in: {error}"]
    return []


def _transcribed(trax: Appliance, *names: str) -> list[str]:
    try:
        trax.wait_until(lambda: set(names) <= {*trax.transcripts(), *trax.errors()}, _PATIENCE_S)
    except ApplianceError as error:
        return [f"not answered: {sorted({*names} - {*trax.transcripts()})}: {error}"]
    return [f"{name}.wav was refused: {path.read_text(encoding='utf-8')}" for name, path in trax.errors().items()]


#: Limits of inotify that leave a daemon without a watcher, or without a watch on any folder in the inbox.
_LIMITS = {"max_inotify_instances": 0, "max_inotify_watches": 1}


def _limited(limit: str, command: Sequence[str]) -> list[str]:
    """The command under a limit of its own, in a user namespace of its own: that of the machine stays as it is."""
    script = f'echo {_LIMITS[limit]} > /proc/sys/user/{limit} && exec "$@"'
    return ["unshare", "--user", "--map-root-user", "--", "sh", "-c", script, "sh", *command]


def _may_limit() -> bool:
    return all(subprocess.run(_limited(limit, ["true"]), capture_output=True, check=False).returncode == 0 for limit in _LIMITS)


def _unheard(root: Path, clip: Path, limit: str) -> tuple[dict[str, float], list[str]]:
    """As `_missed`, of a daemon that hears nothing of what is dropped."""
    times: dict[str, float] = {}
    if not _may_limit():
        return times, []
    (root / "inbox" / "sub").mkdir(parents=True)
    with Appliance(root, _settings(), command=_limited(limit, [sys.executable, "-m", "trax.service.main"])) as trax:
        trax.wait_until(trax.socket.exists, _PATIENCE_S)
        time.sleep(2 * _SETTLE_S)  # the first look is over
        (root / "staged").write_bytes(clip.read_bytes())
        (root / "staged").rename(trax.inbox / "sub" / "unheard.wav")
        violations = _taken(trax, None, "sub/unheard", times, f"with user.{limit} at {_LIMITS[limit]}")
    if not re.search("watcher of the inbox failed|allows no more watches", (root / "traxd.log").read_text(encoding="utf-8")):
        violations.append(f"with user.{limit} at {_LIMITS[limit]} the log says nothing of it: {trax.log_tail()}")
    return times, violations


# ── what pauses and goes on ──


def _pauses(root: Path, clips: tuple[Path, ...], rounds: int, *, own: bool) -> list[str]:
    """Each kind of writer at once, `rounds` times. Not `own`: the files are another user's, of whom the kernel does not tell."""
    kinds = [_holds_open, _keeps_a_mapping, _reopens, _starts_over if own else _outlasts_its_answer]
    violations = []
    with Appliance(root, _settings(), preexec=None if own else without_right("CAP_LEASE")) as trax:
        trax.wait_until(trax.socket.exists, _PATIENCE_S)
        for number in range(rounds):
            wholes = [_long(clips[(number * len(kinds) + each) % len(clips)], number) for each in range(len(kinds))]
            wholes[0] = _without_header(wholes[0])
            names = [f"{kind.__name__.strip('_')}-{number}.{'aac' if kind is _holds_open else 'wav'}" for kind in kinds]
            with ThreadPoolExecutor() as writers:
                for kind, name, whole in zip(kinds, names, wholes, strict=True):
                    writers.submit(kind, trax.inbox / name, whole, own)
            for name, whole in zip(names, wholes, strict=True):
                violations += _is_whole(trax, name, whole)
                if own and name.startswith(("holds", "keeps")):  # the kernel tells of these, however slow the machine is
                    violations += _was_left_alone(root / "traxd.log", name, len(whole))
    return violations


def _long(clip: Path, number: int) -> bytes:
    # different bytes in each round: the same would be answered as a duplicate
    return clip.read_bytes() + bytes(2 * (number + 1))


def _without_header(recording: bytes) -> bytes:
    """The same as AAC, of which any piece is a recording: a half that is taken for the whole is not refused as damaged."""
    return encoded("adts", "aac", np.frombuffer(recording[_WAV_HEAD:], "<i2"), rate=SAMPLE_RATE)


def _was_left_alone(log: Path, name: str, size: int) -> list[str]:
    """Whether it was taken in once, and that when it was whole and nobody held it any more."""
    told = log.read_text(encoding="utf-8")
    jobs = re.findall(rf"\[(\S+)\] claimed {re.escape(name)} \((\d+) bytes\)", told)
    again = [job for job, _ in jobs if re.search(rf"\[{job}\] .*taken again, whole", told)]
    if [int(taken) for _, taken in jobs] == [size] and not again:
        return []
    return [f"{name}, of {size} bytes, which its writer had in hand, was taken in as {jobs}, and of these again {again}"]


def _is_whole(trax: Appliance, name: str, whole: bytes) -> list[str]:
    """Whether exactly one transcript answers, that of the whole."""
    wanted = hashlib.sha256(whole).hexdigest()

    def answers() -> dict[str, str]:
        own = (each for each in trax.transcripts().items() if each[0].split(" ")[0] == Path(name).stem)
        return {each: read_json(path)["media"]["sha256"] for each, path in own}

    try:
        trax.wait_until(lambda: wanted in answers().values(), _PATIENCE_S)
    except ApplianceError as error:
        return [f"{name} was never transcribed in whole; there are {sorted(answers())} and {sorted(trax.errors())}. {error}"]
    return [f"{each}.json is the transcript of a part of {name}" for each, sha in answers().items() if sha != wanted]


def _pause(own: bool) -> None:  # noqa: FBT001 - all writers are called alike
    # where the kernel cannot tell, the half is taken in: go on while it is in work
    time.sleep(4 * _SETTLE_S if own else 2.5 * _SETTLE_S)


def _create(path: Path, own: bool) -> int:  # noqa: FBT001 - all writers are called alike
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644)
    if not own:
        os.fchown(descriptor, 65534, 65534)
    return descriptor


def _holds_open(path: Path, whole: bytes, own: bool) -> None:  # noqa: FBT001 - all writers are called alike
    half = len(whole) // 2
    descriptor = _create(path, own)
    os.write(descriptor, whole[:half])
    _pause(own)
    os.write(descriptor, whole[half : half + 1000])
    _pause(own)
    os.write(descriptor, whole[half + 1000 :])
    os.close(descriptor)


def _keeps_a_mapping(path: Path, whole: bytes, own: bool) -> None:  # noqa: FBT001 - all writers are called alike
    half = len(whole) // 2
    descriptor = _create(path, own)
    os.write(descriptor, whole[:half] + bytes(len(whole) - half))  # its final size from the start
    with mmap.mmap(descriptor, len(whole)) as mapping:
        os.close(descriptor)
        _pause(own)
        mapping[half:] = whole[half:]
        mapping.flush()


def _reopens(path: Path, whole: bytes, own: bool) -> None:  # noqa: FBT001 - all writers are called alike
    os.close(_create(path, own))
    step = len(whole) // 6 + 1
    for start in range(0, len(whole), step):
        with path.open("ab") as writer:
            writer.write(whole[start : start + step])
        time.sleep(_SETTLE_S / 4)


def _outlasts_its_answer(path: Path, whole: bytes, own: bool) -> None:  # noqa: FBT001 - all writers are called alike
    """The longest pause: until the half, which nobody could tell from a whole, was answered."""
    descriptor = _create(path, own)
    os.write(descriptor, whole[: len(whole) // 2])
    answer = path.parents[1] / "outbox" / f"{path.stem}.error.json"
    until = time.monotonic() + _PATIENCE_S
    while not answer.exists() and time.monotonic() < until:
        time.sleep(0.1)
    os.write(descriptor, whole[len(whole) // 2 :])
    os.close(descriptor)


def _starts_over(path: Path, whole: bytes, own: bool) -> None:  # noqa: FBT001 - all writers are called alike
    """A download that is resumed when the part was taken: whatever it finds or does not find, it ends with the whole at that name."""
    with path.open("wb") as writer:
        writer.write(whole[: len(whole) // 2])
    _pause(own)
    there = path.stat().st_size if path.exists() else 0
    with path.open("ab") as writer:
        writer.write(whole[there:])
