"""Every crash point of one job, not a sample: the process ended, the power cut, a sync refused by the disk; then started again."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from attacks import Findings, Size
from attacks.clips import speech_clips
from attacks.disk import Event, power_cuts
from attacks.observed import SYNCS
from attacks.scene import RECORDING, Scene

_T = TypeVar("_T")


def attack(size: Size, work: Path) -> Findings:
    """Try them all, or as many of each kind as the size allows."""
    (clip,) = speech_clips(work / "clips", 1, seed=size.seed, seconds=(2.0, 2.0))
    chance = random.Random(size.seed)
    scene = Scene(clip, work)
    with scene:
        here, violations = _rehearse(scene, size, chance)
        scene.move_inbox()
        there, others = _rehearse(scene, size, chance)
    violations += [f"With the inbox on a mount: {each}" for each in others]
    real = _really(scene, size, chance)
    violations += real.violations
    tried = (
        f"One job was {here}. With an inbox on a mount of its own it was {there}. With real engines it was ended at {real.ends} random "
        f"points of the daemon's own {real.operations} operations, and had {real.refused} of its syncs fail. After each, Trax was started "
        "again."
    )
    return Findings(tried, tuple(violations))


@dataclass(frozen=True, slots=True)
class _Tried:
    """How many points a job has, and how many of them were tried."""

    operations: int
    ends: int
    all_cuts: int
    cuts: int
    syncs: int
    refused: int
    pairs: int

    def __str__(self) -> str:
        return (
            f"ended before {self.ends} of its {self.operations} durable operations, lost power in {self.cuts} of the {self.all_cuts} "
            f"ways in which its unsynced data and names can be lost, had {self.refused} of its {self.syncs} syncs fail (EIO), and at "
            f"{self.pairs} random points was ended, ended again in its recovery, and lost power then"
        )


@dataclass(frozen=True, slots=True)
class _Real:
    """What was tried with real engines, whose own processes are not observed: a job has fewer operations there."""

    operations: int
    ends: int
    refused: int
    violations: tuple[str, ...]


def _really(scene: Scene, size: Size, chance: random.Random) -> _Real:
    wanted = {"end_before": size.pick(20, 3, 0), "fail_sync": size.pick(5, 1, 0)}
    if not any(wanted.values()):
        return _Real(0, 0, 0, ())
    counts = dict(zip(wanted, scene.real_points(), strict=True))
    met, found = Counter[str](), []
    for how, number in wanted.items():
        for point in chance.sample(range(1, counts[how] + 1), min(2 * number, counts[how])):  # runs differ: a late one may not be met
            if met[how] < number:
                is_met, wrong = scene.really(how, point)
                met[how] += is_met
                found += wrong
        if met[how] < number:
            found.append(f"Real engines: only {met[how]} of {number} points of {how} were met.")
    return _Real(counts["end_before"], met["end_before"], met["fail_sync"], tuple(found))


def _rehearse(scene: Scene, size: Size, chance: random.Random) -> tuple[_Tried, list[str]]:
    history = scene.history()
    syncs = sum(event.operation in SYNCS for event in history)
    all_cuts = list(power_cuts(scene.dropped, history))
    ends = _some(range(1, len(history) + 1), size.pick(len(history), 20, 4), chance)
    cuts = _some(all_cuts, size.pick(len(all_cuts), 25, 5), chance)
    refused = _some(range(1, syncs + 1), size.pick(syncs, 10, 2), chance)
    pairs = [(chance.randint(1, len(history)), chance.randint(1, 60)) for _ in range(size.pick(40, 4, 1))]
    violations = [
        *_unsynced_recording(scene, history),
        *scene.each(scene.end, ends),
        *scene.each(scene.cut, cuts),
        *scene.each(scene.refuse, refused),
        *scene.each(scene.end_twice, pairs),
    ]
    return _Tried(len(history), len(ends), len(all_cuts), len(cuts), syncs, len(refused), len(pairs)), violations


def _some(points: Sequence[_T], count: int, chance: random.Random) -> list[_T]:
    return list(points) if count >= len(points) else chance.sample(points, count)


def _unsynced_recording(scene: Scene, history: Sequence[Event]) -> Iterator[str]:
    """Whoever drops a recording does not sync it: from when the ledger knows its hash, it must not be lost any more."""
    queued = next(number for number, event in enumerate(history, start=1) if b'"queued"' in (event.data or b"") and "ledger" in event.path)
    for cut in power_cuts(scene.dropped, history, unsynced=[RECORDING], first=queued):
        if all(remains.data != scene.dropped[RECORDING] for remains in cut.image.values()):
            yield f"A power cut before operation {cut.number}, taking {cut.loss}, takes the recording that is queued."
