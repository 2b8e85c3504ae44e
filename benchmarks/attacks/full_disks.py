"""Disks of every size, run in a mount namespace of its own by `disk_full`: `python full_disks.py FOLDER STEPS STAGES SEED` prints JSON.

The daemon is the real one with real engines; only its patience is shorter. In the sweep its check for room before a job starts is taken
out, so that each write behind that check meets the end of the disk.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import psutil
from appliance import ApplianceError

from attacks.clips import speech_clips
from attacks.other_disks import mounts, read_only
from attacks.small_disks import FORMATS, NO_CHECK, PATIENCE_S, SMALL_RESERVE, Outputs, Rooms, Witness, ballast, held_in, mount, plain
from trax.errors import TraxError
from trax.jobs.job import Status

_PAGE = 4096
_MOST_FREE = 160_000
#: Every so many recordings one is empty: it gets an answer, too.
_EMPTY_EVERY = 4
#: Recordings of the other attacks.
_APART = 8
#: A change to a daemon: what comes from another mount never arrives.
_NO_COPY = "import time; from trax import files; files.copy = lambda *_: time.sleep(3600)"
_ONE_DISK = {part: f"disk/{part}" for part in ("inbox", "outbox", "state")}


def reference(root: Path, clips: tuple[Path, ...]) -> dict[str, dict[str, object]]:
    """The outputs of an undisturbed run, by stem and ending."""
    with Rooms(root, disks={"inbox": "inbox", "outbox": "outbox", "state": "own/state"}) as daemon:
        daemon.wait_until(daemon.is_up, PATIENCE_S)
        for clip in clips:
            daemon.put(clip, clip.name)
        daemon.wait_until(lambda: len(daemon.transcripts()) + len(daemon.errors()) == len(clips), PATIENCE_S)
        return {clip.stem: {each: plain(daemon.outbox / f"{clip.stem}.{each}") for each in FORMATS} for clip in clips}


def sweep(root: Path, clips: tuple[Path, ...], expected: Outputs, most: int = _MOST_FREE) -> tuple[list[str], int]:
    """One recording or, every fourth time, an empty file on each size of disk between none and `most` free bytes; then there is room."""
    mount(disk := root / "disk", 64)
    with Rooms(root, NO_CHECK, disks=_ONE_DISK) as daemon:
        daemon.wait_until(daemon.is_up, PATIENCE_S)
        witness = Witness(daemon, expected)
        for number, clip in enumerate(clips):
            free = most * number // len(clips) // _PAGE * _PAGE
            where = f"with {free} bytes free"
            is_empty = number % _EMPTY_EVERY == _EMPTY_EVERY - 1
            name = f"empty-{number:04}.wav" if is_empty else clip.name
            hidden = daemon.inbox / f".{name}"
            hidden.write_bytes(b"" if is_empty else clip.read_bytes())
            with ballast(disk, free):
                hidden.rename(daemon.inbox / name)
                witness.wait_until_it_waits(name, where)
            witness.wait_until_done(name, where, Status.FAILED if is_empty else Status.COMPLETED)
        return witness.finish("on one disk"), witness.waited


def stages(root: Path, clips: tuple[Path, ...], expected: Outputs) -> tuple[list[str], int]:
    """The disk is filled to the last byte when a job is in the middle of each stage, one clip a stage, as many as there are."""
    mount(disk := root / "disk", 64)
    with Rooms(root, SMALL_RESERVE, disks=_ONE_DISK) as daemon:
        daemon.wait_until(daemon.is_up, PATIENCE_S)
        witness = Witness(daemon, expected)
        for stage, clip in zip(("vad", "transcribe", "embed", "cluster"), clips, strict=False):
            where = f"full in the stage {stage}"
            daemon.put(clip, clip.name)
            with held_in(daemon, stage, clip.name) as resume, ballast(disk, 0):
                resume()
                witness.wait_until_it_waits(clip.name, where)
            witness.wait_until_done(clip.name, where)
        return witness.finish("full in each stage"), witness.waited


def restart(root: Path, clip: Path, expected: Outputs) -> tuple[list[str], int]:
    """Killed in the middle of a job and started again on a disk without a free byte: it says so, and goes on when there is room."""
    mount(disk := root / "disk", 64)
    with Rooms(root, SMALL_RESERVE, disks=_ONE_DISK) as killed:
        killed.wait_until(killed.is_up, PATIENCE_S)
        killed.put(clip, clip.name)
        with held_in(killed, None, clip.name):
            family = killed.processes()
            for process in family:
                process.kill()
            psutil.wait_procs(family)
            killed.wait(PATIENCE_S)
    with Rooms(root, SMALL_RESERVE, disks=_ONE_DISK) as daemon:
        witness = Witness(daemon, expected)
        with ballast(disk, 0):
            daemon.wait_until(lambda: "waits for the disk" in daemon.refusal() or daemon.is_filed(clip.name), PATIENCE_S)
        witness.wait_until_done(clip.name, "started on a full disk")
        return witness.finish("started on a full disk"), 1


def restart_in_a_claim(root: Path, clip: Path, expected: Outputs) -> tuple[list[str], int]:
    """Killed with a recording half out of an inbox on another mount, which is read-only at the next start: that says so, and waits."""
    disks = {"inbox": "drop", "outbox": "outbox", "state": "own/state"}
    mount(inbox := root / "drop", 64)
    with Rooms(root, SMALL_RESERVE, _NO_COPY, disks=disks) as killed:
        killed.wait_until(killed.is_up, PATIENCE_S)
        killed.put(clip, clip.name)
        killed.wait_until(lambda: not (inbox / clip.name).exists(), PATIENCE_S)
        os.kill(killed.pid, signal.SIGKILL)
        killed.wait(PATIENCE_S)
    with contextlib.ExitStack() as stack:
        with read_only(inbox):
            daemon = stack.enter_context(Rooms(root, SMALL_RESERVE, disks=disks))
            daemon.wait_until(lambda: "waits for the disk" in daemon.refusal(), PATIENCE_S)
        witness = Witness(daemon, expected)
        witness.wait_until_done(clip.name, "started on a read-only inbox")
        return witness.finish("started on a read-only inbox"), 1


def timed(violations: list[str], what: str, attack: Callable[[], tuple[list[str], int]]) -> dict[str, Any]:
    """Run one of these attacks; one that breaks is a violation."""
    began = time.monotonic()
    waited = 0
    try:
        found, waited = attack()
        violations += found
    except (ApplianceError, TraxError, OSError, subprocess.CalledProcessError) as error:
        violations.append(f"{what}: {error}")
    return {"what": what, "waited": waited, "seconds": round(time.monotonic() - began, 1)}


def main() -> None:
    """Run all of them and print what was found."""
    folder, (steps, in_stages, seed) = Path(sys.argv[1]), map(int, sys.argv[2:])
    clips = speech_clips(folder / "clips", steps + in_stages + _APART, seed=seed)
    expected = reference(folder / "undisturbed", clips)
    violations: list[str] = []
    runs = [
        timed(violations, "sizes", lambda: sweep(folder / "sizes", clips[:steps], expected)),
        timed(violations, "stages", lambda: stages(folder / "stages", clips[steps:-_APART], expected)),
        timed(violations, "start", lambda: restart(folder / "start", clips[-1], expected)),
        timed(violations, "claim", lambda: restart_in_a_claim(folder / "claim", clips[-2], expected)),
        timed(violations, "mounts", lambda: mounts(folder / "mounts", clips[-_APART:], expected)),
    ]
    print(json.dumps({"violations": violations, "runs": runs}))


if __name__ == "__main__":
    main()
