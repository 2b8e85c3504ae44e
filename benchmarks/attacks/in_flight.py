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


class _Flight:
    """Stands in for the rename of a claim: swaps what is claimed right before, and every other time back right after."""

    def __init__(self, inbox: Path) -> None:
        self.swaps = 0
        self.name = ""
        self._inbox = inbox
        self._rename = claiming._rename  # noqa: SLF001 - the moment that matters lies inside

    def swap_and_rename(self, path: Path, target: Path) -> bool:
        """As the claim's own."""
        pair = self._inbox / self.name, self._inbox / POOL / self.name
        if path.lstat().st_dev == target.parent.stat().st_dev:  # else it is only found out that the mount is another
            self.swaps += exchange(*pair)
        is_moved = self._rename(path, target)
        if self.swaps % 2:
            exchange(*pair)
        return is_moved


def swaps_in_flight(inbox: Path, work: Path, count: int, mark: bytes) -> tuple[list[str], int]:
    """Claim files, each swapped right before the rename, until `count` were; returns violations and the number of swaps."""
    outside = work / "outside"
    outside.mkdir(parents=True)
    canary = work / "canary.wav"
    for path in (canary, outside / "talk.wav"):
        path.write_bytes(mark)
    folders = StateFolders(work / "state")
    folders.make()
    swapper, flight = Swapper(inbox, canary, outside), _Flight(inbox)
    violations: list[str] = []
    with (
        Inotify(sync_timeout=0) as inotify,
        mock.patch.object(claiming, "_rename", flight.swap_and_rename),
        mock.patch.object(os, "fsync"),  # processes end here, machines do not
    ):
        for path in (canary, outside, outside / "talk.wav"):
            inotify.add_watch(path, Mask.OPEN | Mask.ACCESS | Mask.MODIFY)
        for number in itertools.count():
            if flight.swaps >= count:
                break
            flight.name = swapper.lay()
            violations += _claim(inbox, flight.name, number, folders)
        violations += [f"{event.watch.path.name} was opened" for event in iter(inotify.sync_get, None) if event.watch is not None][:3]
    if any(not (folder / SOURCE_FILE).is_file() for folder in folders.work.iterdir()):
        violations.append("work folders were left without a recording")
    if not scan(inbox).sightings:
        violations.append("nothing went back to the inbox")
    return violations, flight.swaps


def _claim(inbox: Path, name: str, number: int, folders: StateFolders) -> list[str]:
    relative = name if name.endswith(".wav") else f"{name}/talk.wav"
    (inbox / relative).write_bytes(_SOUND)
    sighting = sight(inbox / relative)
    assert sighting is not None
    job = Job(f"20261122-{number:06d}-abcdef", relative, name, ("transcribe",), {}, "h", created=1.0, changed=1.0)
    try:
        folder = claiming.claim(inbox, sighting, job, folders)
    except StorageError as error:
        return [f"{relative}: the claim failed: {error}"]
    if folder is not None and (folder / SOURCE_FILE).read_bytes() != _SOUND:
        return [f"{relative}: something else than what was looked at was taken"]
    return []
