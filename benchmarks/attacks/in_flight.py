"""Swaps at the exact moment between the check of a file and its rename, by calling the claim itself: no luck with the timing is needed."""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from unittest import mock

from asyncinotify import Inotify, Mask

from attacks.swapper import POOL, Swapper, exchange
from trax.errors import StorageError
from trax.intake import claim as claiming
from trax.intake.scan import scan, sight
from trax.jobs.folders import SOURCE_FILE, StateFolders
from trax.jobs.job import Job

_SOUND = b"an honest recording"


def swaps_in_flight(inbox: Path, work: Path, count: int, mark: bytes) -> tuple[list[str], int]:
    """Claim `count` files that are each swapped right before the rename; returns violations and the number of swaps.

    Every other one is swapped back right after the rename, as far as that can be done by name.
    """
    outside = work / "outside"
    outside.mkdir(parents=True)
    canary = work / "canary.wav"
    for path in (canary, outside / "talk.wav"):
        path.write_bytes(mark)
    folders = StateFolders(work / "state")
    folders.make()
    swapper = Swapper(inbox, canary, outside)
    violations: list[str] = []
    swaps = 0
    rename = claiming._rename  # noqa: SLF001 - the moment that matters lies inside

    def swap_and_rename(path: Path, target: Path) -> bool:
        nonlocal swaps
        if path.stat(follow_symlinks=False).st_dev == target.parent.stat().st_dev:  # else it is only found out that the mount is another
            swaps += exchange(inbox / name, inbox / POOL / name)
        is_moved = rename(path, target)
        if swaps % 2:
            exchange(inbox / name, inbox / POOL / name)
        return is_moved

    with (
        Inotify(sync_timeout=0) as inotify,
        mock.patch.object(claiming, "_rename", swap_and_rename),
        mock.patch.object(os, "fsync", lambda _: None),  # processes end here, machines do not
    ):
        for path in (canary, outside, outside / "talk.wav"):
            inotify.add_watch(path, Mask.OPEN | Mask.ACCESS | Mask.MODIFY)
        for number in itertools.count():
            if swaps >= count:
                break
            name = swapper.lay()
            relative = name if name.endswith(".wav") else f"{name}/talk.wav"
            (inbox / relative).write_bytes(_SOUND)
            sighting = sight(inbox / relative)
            assert sighting is not None
            job = Job(f"20261122-{number:06d}-abcdef", relative, name, ("transcribe",), {}, "h", created=1.0, changed=1.0)
            try:
                folder = claiming.claim(inbox, sighting, job, folders)
            except StorageError as error:
                violations.append(f"{relative}: the claim failed: {error}")
                continue
            if folder is not None and (folder / SOURCE_FILE).read_bytes() != _SOUND:
                violations.append(f"{relative}: something else than what was looked at was taken")
        violations += [f"{event.watch.path.name} was opened" for event in iter(inotify.sync_get, None) if event.watch is not None][:3]
    left = sum(1 for folder in folders.work.iterdir() if not (folder / SOURCE_FILE).is_file())
    if left:
        violations.append(f"{left} work folders were left without a recording")
    if not scan(inbox).sightings:
        violations.append("nothing went back to the inbox")
    return violations, swaps
