"""Every crash point of one job, not a sample: the process ended, the power cut, a sync refused by the disk; then started again."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
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
    scene = Scene(clip, work)
    chance = random.Random(size.seed)
    with scene:
        history = scene.history()
        syncs = sum(event.operation in SYNCS for event in history)
        ends = _some(range(1, len(history) + 1), size.pick(len(history), 30, 9), chance)
        cuts = list(power_cuts({RECORDING: clip.read_bytes()}, history))
        tried_cuts = _some(cuts, size.pick(len(cuts), 40, 14), chance)
        refused = _some(range(1, syncs + 1), size.pick(syncs, 16, 5), chance)
        pairs = [(chance.randint(1, len(history)), chance.randint(1, 60)) for _ in range(size.pick(60, 8, 2))]
        violations = [
            *_unsynced_recording(clip, history),
            *scene.each(scene.end, ends),
            *scene.each(scene.cut, tried_cuts),
            *scene.each(scene.refuse, refused),
            *scene.each(scene.end_twice, pairs),
        ]
    real = [("end_before", chance.randint(1, len(history))) for _ in range(size.pick(20, 3, 0))]
    real += [("fail_sync", chance.randint(1, syncs)) for _ in range(size.pick(5, 1, 0))]
    for point in real:
        violations += scene.really(*point)
    tried = (
        f"One job was ended before {len(ends)} of its {len(history)} durable operations, lost power in {len(tried_cuts)} of the "
        f"{len(cuts)} different ways its unsynced data and names can be lost, had {len(refused)} of its {syncs} syncs fail with EIO, and "
        f"at {len(pairs)} random points was ended, ended again in its recovery, and lost power then; with real engines it was ended, or "
        f"had a sync fail, at {len(real)} random points. After each Trax was started again."
    )
    return Findings(tried, tuple(violations))


def _some(points: Sequence[_T], count: int, chance: random.Random) -> list[_T]:
    return list(points) if count >= len(points) else chance.sample(points, count)


def _unsynced_recording(clip: Path, history: Sequence[Event]) -> Iterator[str]:
    """Whoever drops a recording does not sync it: from when the ledger knows its hash, it must not be lost any more."""
    queued = next(number for number, event in enumerate(history, start=1) if b'"queued"' in (event.data or b"") and "ledger" in event.path)
    source = clip.read_bytes()
    for cut in power_cuts({RECORDING: source}, history, unsynced=[RECORDING], first=queued):
        if all(remains.data != source for remains in cut.image.values()):
            yield f"A power cut before operation {cut.number}, taking {cut.loss}, takes the recording that is queued."
