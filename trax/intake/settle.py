"""When a file in the inbox has come to rest. Pure: the caller looks, and says when it looked.

A file is settled once two looks at least `quiet` seconds apart, and every look and event between them, found it the same. A file that
grows is waited for as long as it grows.
"""

from __future__ import annotations

import stat
from collections.abc import Collection, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sighting:
    """What a look at a name showed, links not followed: size in bytes, mtime in nanoseconds, identity, `st_mode`, and how many names."""

    size: int
    modified: int
    inode: int
    device: int
    mode: int
    links: int = 1

    @property
    def is_regular(self) -> bool:
        """Whether it is a file, not a link, pipe, socket or device."""
        return stat.S_ISREG(self.mode)

    def is_same(self, other: Sighting) -> bool:
        """Whether nothing happened to the file between the two; its permissions and further names may have changed."""
        mine = (self.size, self.modified, self.inode, self.device, stat.S_IFMT(self.mode))
        return mine == (other.size, other.modified, other.inode, other.device, stat.S_IFMT(other.mode))


@dataclass(frozen=True, slots=True)
class Resting:
    """A file that was found the same at every look from `since` to `until` (seconds of any clock that only goes forward)."""

    sighting: Sighting
    since: float
    until: float


def look(before: Mapping[str, Resting], seen: Mapping[str, Sighting], touched: Collection[str], now: float) -> dict[str, Resting]:
    """What is known after a look at `now` that showed `seen`; `touched` are the names that events told of since the last look."""

    def rest(name: str, sighting: Sighting) -> Resting:
        former = before.get(name)
        if former is None or name in touched or not former.sighting.is_same(sighting):
            return Resting(sighting, now, now)
        return Resting(sighting, former.since, now)

    return {name: rest(name, sighting) for name, sighting in seen.items()}


def settled(known: Mapping[str, Resting], quiet: float) -> dict[str, Sighting]:
    """The files at rest for `quiet` seconds, those that came to rest first in front."""
    ripe = {name: resting for name, resting in known.items() if resting.until >= resting.since + quiet}
    return {name: ripe[name].sighting for name in sorted(ripe, key=lambda name: (ripe[name].since, name))}


def next_look(known: Mapping[str, Resting], quiet: float) -> float | None:
    """When a further look may find a file settled, if nothing happens until then; None when none is waited for."""
    return min((resting.since + quiet for resting in known.values()), default=None)
