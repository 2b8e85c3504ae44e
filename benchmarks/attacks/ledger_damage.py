"""Roots of a real daemon that was killed at some moment, with damaged snapshots: what the next daemon makes of them."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from appliance import Appliance, trax_ctl

from attacks.aftermath import examine
from attacks.clips import speech_clips
from trax.jobs.damaged import kept_beside
from trax.jobs.folders import StateFolders, subfolders
from trax.jobs.ledger import Ledger
from trax.jobs.storage import unpack

SETTINGS = {
    "intake": {"settle_seconds": 0.4, "rescan_seconds": 3.0},
    "retries": {"first_delay_seconds": 0.2, "max_delay_seconds": 2.0},
    "output": {"formats": ["json", "srt"]},
}
PATIENCE_S = 120.0


@dataclass(frozen=True, slots=True)
class Moment:
    """A root as it was when the daemon was killed; `dropped` are its recordings, SHA-256 → name."""

    root: Path
    dropped: dict[str, str]


def moments(root: Path, into: Path, *, clips: int, kills: int, seed: int) -> list[Moment]:
    """Drop clips, kill the daemon `kills` times while it works and once when all is done; the roots of those moments."""
    paths = speech_clips(into / "clips", clips, seed=seed)
    dropped = {hashlib.sha256(path.read_bytes()).hexdigest(): path.stem for path in paths}
    randomness = random.Random(seed)
    taken: list[Moment] = []
    for number in range(kills + 1):
        with Appliance(root, SETTINGS) as appliance:
            if number == 0:
                for path in paths:
                    appliance.drop(path)
            enough = clips if number == kills else min(clips, len(appliance.transcripts()) + 1)
            appliance.wait_until(lambda enough=enough: len(appliance.transcripts()) >= enough, PATIENCE_S, every_s=0.01)  # type: ignore[misc]
            if number == kills:
                appliance.wait_until(lambda: is_done(root, clips), PATIENCE_S)
            else:
                time.sleep(randomness.uniform(0.0, 0.2))
            appliance.kill()
        taken.append(Moment(into / f"moment-{number}", dropped))
        _copy(root, taken[-1].root)
    return taken


def _copy(root: Path, to: Path) -> None:
    shutil.copytree(root, to, symlinks=True, ignore=shutil.ignore_patterns("*.sock"))


def is_done(root: Path, count: int) -> bool:
    """Whether the ledger knows `count` jobs, all are finished, and their folders are where they belong."""
    folders = StateFolders(root / "state")
    if not folders.ledger.is_dir():
        return False
    jobs = Ledger.read_only(folders.ledger).live()
    return len(jobs) == count and all(job.is_finished for job in jobs) and not subfolders(folders.work)


def _snapshots(ledger: Path) -> list[Path]:
    """Both snapshots, the newest first."""
    sequences = {path: snapshot.sequence for path in ledger.glob("ledger-?.json") if (snapshot := unpack(path.read_bytes()))}
    return sorted(sequences, key=lambda path: -sequences[path])


def every_byte(moment: Moment, work: Path, *, step: int, seed: int) -> tuple[int, int, list[str]]:
    """Cut the newest snapshot at every `step`-th byte and flip a bit of it there, and open the ledger to read and to write.

    Returns how many bytes were cut at, how many flipped, and what was wrong.
    """
    newest, older = _snapshots(moment.root / "state" / "ledger")
    whole, former = newest.read_bytes(), older.read_bytes()
    work.mkdir()
    (work / older.name).write_bytes(former)
    expected = Ledger.read_only(work).live()
    randomness = random.Random(seed)
    cuts = {f"cut at byte {at}": whole[:at] for at in range(0, len(whole), step)}
    flips = {f"flipped at byte {at}": _flip(whole, at, randomness) for at in range(randomness.randrange(step), len(whole), step)}
    found: list[str] = []
    for what, data in (cuts | flips).items():
        (work / newest.name).write_bytes(data)
        if Ledger.read_only(work).live() != expected:
            found.append(f"{newest.name} {what}: a reader does not see the former snapshot.")
        if Ledger(work).live() != expected:
            found.append(f"{newest.name} {what}: traxd would not go on from the former snapshot.")
        kept = kept_beside(work)
        if [path.read_bytes() for path in kept] != [data] or (work / older.name).read_bytes() != former:
            found.append(f"{newest.name} {what}: it is not kept as it was.")
        for path in kept:
            path.unlink()
    return len(cuts), len(flips), found


def _flip(data: bytes, at: int, randomness: random.Random) -> bytes:
    return data[:at] + bytes([data[at] ^ 1 << randomness.randrange(8)]) + data[at + 1 :]


def _damage(ledger: Path, kind: str, randomness: random.Random) -> bytes:
    """Damage one file as `kind` says; returns its bytes after that."""
    how, which = kind.split()
    path = ledger / "seen.log" if which == "seen" else _snapshots(ledger)[which == "older"]
    whole = path.read_bytes()
    at = randomness.randrange(max(1, len(whole) - 1))
    data = {"cut": whole[:at], "flip": _flip(whole, at, randomness) if whole else b"", "empty": b""}[how]
    path.write_bytes(data)
    return data


def one_damaged(moment: Moment, kind: str, root: Path, *, seed: int, ask_doctor: bool) -> list[str]:
    """Let the real daemon go on over a copy of the root with one damaged file; returns what is wrong when it is done."""
    _copy(moment.root, root)
    ledger = root / "state" / "ledger"
    is_whole = not (ledger / "seen.log").stat().st_size if kind == "flip seen" else False  # nothing in it that could be damaged
    answers = _answers(root)
    data = _damage(ledger, kind, random.Random(seed))
    found: list[str] = []
    with Appliance(root, SETTINGS) as appliance:
        _until_done(appliance, moment)
        if ask_doctor:
            found += _doctor(root, level="warning", says="damaged")
        appliance.stop()
    kept = [path.read_bytes() for path in kept_beside(ledger)]
    if not is_whole and kept != [data]:
        found.append("the damaged file is not kept beside.")
    if any(_answers(root).get(name) != stamp for name, stamp in answers.items()):
        found.append("an answer was published again.")
    found += examine(root, moment.dropped).violations
    return [f"{kind} at {moment.root.name}: {each}" for each in found]


def _until_done(appliance: Appliance, moment: Moment) -> None:
    appliance.wait_until(appliance.answers, PATIENCE_S)
    appliance.wait_until(lambda: is_done(appliance.root, len(moment.dropped)), PATIENCE_S)


def _answers(root: Path) -> dict[str, tuple[int, int]]:
    """The transcripts in the outbox: what is published again is another file."""
    return {path.name: (path.stat().st_size, path.stat().st_mtime_ns) for path in (root / "outbox").glob("*.json")}


def both_lost(moment: Moment, root: Path) -> list[str]:
    """Damage both snapshots: the daemon must say so and end, and rebuild once the folder is moved away; returns what is wrong."""
    _copy(moment.root, root)
    ledger = root / "state" / "ledger"
    for path in _snapshots(ledger):
        path.write_bytes(path.read_bytes()[:-1])
    before, answers = {path.name: path.read_bytes() for path in ledger.iterdir()}, _answers(root)
    found: list[str] = []
    with Appliance(root, SETTINGS) as appliance:
        code = appliance.wait(PATIENCE_S)
        if code != 1 or "Neither snapshot" not in appliance.log_tail() or "Traceback" in appliance.log_tail():
            found.append(f"traxd exits {code} and does not say that both snapshots are damaged:\n{appliance.log_tail()}")
    if {path.name: path.read_bytes() for path in ledger.iterdir()} != before:
        found.append("the ledger's folder was changed though nothing in it could be read.")
    found += _doctor(root, level="problem", says="Neither snapshot")
    ledger.rename(root / "ledger-moved-away")
    with Appliance(root, SETTINGS) as appliance:
        _until_done(appliance, moment)
        appliance.stop()
    if _answers(root) != answers:
        found.append("answers changed when the ledger was rebuilt.")
    found += examine(root, moment.dropped).violations
    return [f"both snapshots damaged: {each}" for each in found]


def _doctor(root: Path, *, level: str, says: str) -> Iterator[str]:
    told = json.loads(subprocess.run(trax_ctl(root, "--json", "doctor"), capture_output=True, check=False, timeout=PATIENCE_S).stdout)
    ledger = [check for check in told["checks"] if check["subject"] == "ledger"]
    if not any(check["level"] == level and says in check["found"] and check["advice"] for check in ledger):
        yield f"the doctor says of it: {ledger}"
