"""Missed and misleading events: whatever the watcher hears or does not hear, each recording is taken in once, and whole.

Real writers over real time: they pause longer than the settle time with the file open, with only a mapping of it left, or closed.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from appliance import Appliance, ApplianceError, read_json

from attacks import Findings, Size
from attacks.clips import speech_clips
from attacks.rights import without_right

_SETTLE_S = 0.5
_RESCAN_S = 3.0
#: Seconds a busy machine may take over what is waited for.
_PATIENCE_S = 240.0
_QUEUE = Path("/proc/sys/fs/inotify/max_queued_events")


def attack(size: Size, work: Path) -> Findings:
    """See the module."""
    clips = list(speech_clips(work / "clips", 16, seed=size.seed))
    violations: list[str] = []
    figures: list[str] = []
    files = size.pick(20_000, 6_000, 0)
    violations += _missed(work / "missed", clips[:5], files, figures)
    for name, preexec in (("pauses", None), ("pauses of others", without_right("CAP_LEASE"))):
        violations += _pauses(work / name, clips[5:], size.pick(4, 2, 1), own=preexec is None, preexec=preexec)
    tried = (
        f"While the daemon was stopped by a signal {files:,} files came and went, more events than the kernel keeps; the inbox was replaced "
        "by another folder; the watcher was left without watches; the inbox was polled: a recording was dropped in the middle of each. "
        "Writers paused for longer than the settle time and went on: with the file open, with only a mapping of it, reopening it within the "
        "settle time, or resuming from the first byte after it was taken; the same where the kernel does not tell who writes, as on a share."
    )
    return Findings(tried, tuple(violations), tuple(figures))


def _settings(**intake: object) -> dict[str, Any]:
    return {
        "intake": {"settle_seconds": _SETTLE_S, "rescan_seconds": _RESCAN_S, **intake},
        "stages": {"diarize": False},
        "retries": {"first_delay_seconds": 0.1},
    }


# ── what the watcher does not hear ──


def _missed(root: Path, clips: list[Path], files: int, figures: list[str]) -> list[str]:
    violations = []
    with Appliance(root, _settings()) as trax:
        _answered(trax, clips[0], "first", figures, "with the watcher")
        os.kill(trax.pid, signal.SIGSTOP)
        for number in range(files):
            (trax.inbox / f"noise-{number}").touch()
        trax.drop(clips[1], "overflow.wav")
        for number in range(files):
            (trax.inbox / f"noise-{number}").unlink()
        os.kill(trax.pid, signal.SIGCONT)
        violations += _answered(trax, None, "overflow", figures, "after more events than the kernel keeps")
        trax.inbox.rename(root / "former inbox")
        trax.inbox.mkdir()
        violations += _answered(trax, clips[2], "replaced", figures, "in another folder in the inbox's place")
        shutil.rmtree(trax.inbox)
        time.sleep(_RESCAN_S)
        trax.inbox.mkdir()
        violations += _answered(trax, clips[3], "back", figures, "in an inbox that was gone for a while")
    with Appliance(root, _settings(watch="polling")) as trax:
        violations += _answered(trax, clips[4], "polled", figures, "by polling")
    return violations


def _answered(trax: Appliance, clip: Path | None, name: str, figures: list[str], how: str) -> list[str]:
    """Drop a recording, if it is not there already, and see it taken within a rescan."""
    if clip is not None:
        trax.drop(clip, f"{name}.wav")
    began = time.monotonic()
    try:
        taken = trax.wait_until(lambda: not (trax.inbox / f"{name}.wav").exists(), _PATIENCE_S, every_s=0.05)
        trax.wait_until(lambda: name in trax.transcripts(), _PATIENCE_S)
    except ApplianceError as error:
        return [f"{name}.wav, {how}: no transcript after {time.monotonic() - began:.0f} s. {error}"]
    figures.append(f"taken in {taken:.1f} s {how} (rescan {_RESCAN_S:g} s, settle {_SETTLE_S:g} s)")
    return []


# ── what pauses and goes on ──


def _pauses(root: Path, clips: list[Path], rounds: int, *, own: bool, preexec: Callable[[], None] | None) -> list[str]:
    """Each kind of writer at once, `rounds` times. Not `own`: the files are another user's, of whom the kernel does not tell."""
    kinds = [_holds_open, _keeps_a_mapping, _reopens] + ([_starts_over] if own else [])
    violations = []
    with Appliance(root, _settings(), preexec=preexec) as trax:
        trax.wait_until(lambda: trax.socket.exists(), _PATIENCE_S)
        for number in range(rounds):
            wanted = {f"{kind.__name__.strip('_')}-{number}": (kind, clips[(number * 4 + n) % len(clips)]) for n, kind in enumerate(kinds)}
            writers = [
                threading.Thread(target=kind, args=(trax.inbox / f"{name}.wav", _long(clip, number), own), daemon=True)
                for name, (kind, clip) in wanted.items()
            ]
            for writer in writers:
                writer.start()
            for writer in writers:
                writer.join()
            for name, (_, clip) in wanted.items():
                violations += _is_whole(trax, name, _long(clip, number))
    return violations


def _long(clip: Path, number: int) -> bytes:
    # different bytes in each round: the same would be answered as a duplicate
    return clip.read_bytes() + bytes(2 * (number + 1))


def _is_whole(trax: Appliance, name: str, whole: bytes) -> list[str]:
    """Whether exactly one transcript answers, that of the whole."""
    wanted = hashlib.sha256(whole).hexdigest()

    def answers() -> dict[str, str]:
        found = {each: read_json(path)["media"]["sha256"] for each, path in trax.transcripts().items() if each.split(" ")[0] == name}
        return found

    try:
        trax.wait_until(lambda: wanted in answers().values(), _PATIENCE_S)
    except ApplianceError as error:
        return [f"{name}.wav was never transcribed in whole; there are {sorted(answers())} and {sorted(trax.errors())}. {error}"]
    return [f"{each}.json is the transcript of a part of {name}.wav" for each, sha in answers().items() if sha != wanted]


def _pause(own: bool) -> None:  # noqa: FBT001
    # where the kernel cannot tell, the half is taken in: go on while it is in work
    time.sleep(4 * _SETTLE_S if own else 2.5 * _SETTLE_S)


def _create(path: Path, own: bool) -> int:  # noqa: FBT001
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644)
    if not own:
        os.fchown(descriptor, 65534, 65534)
    return descriptor


def _holds_open(path: Path, whole: bytes, own: bool) -> None:  # noqa: FBT001
    half = len(whole) // 2
    descriptor = _create(path, own)
    os.write(descriptor, whole[:half])
    _pause(own)
    os.write(descriptor, whole[half : half + 1000])
    _pause(own)
    os.write(descriptor, whole[half + 1000 :])
    os.close(descriptor)


def _keeps_a_mapping(path: Path, whole: bytes, own: bool) -> None:  # noqa: FBT001
    half = len(whole) // 2
    descriptor = _create(path, own)
    os.write(descriptor, whole[:half] + bytes(len(whole) - half))  # its final size from the start
    with mmap.mmap(descriptor, len(whole)) as mapping:
        os.close(descriptor)
        _pause(own)
        mapping[half:] = whole[half:]
        mapping.flush()


def _reopens(path: Path, whole: bytes, own: bool) -> None:  # noqa: FBT001
    os.close(_create(path, own))
    step = len(whole) // 6 + 1
    for start in range(0, len(whole), step):
        with path.open("ab") as writer:
            writer.write(whole[start : start + step])
        time.sleep(_SETTLE_S / 4)


def _starts_over(path: Path, whole: bytes, own: bool) -> None:  # noqa: FBT001
    """A download that is resumed when the part was taken: whatever it finds or does not find, it ends with the whole at that name."""
    with path.open("wb") as writer:
        writer.write(whole[: len(whole) // 2])
    _pause(own)
    there = path.stat().st_size if path.exists() else 0
    with path.open("ab") as writer:
        writer.write(whole[there:])
