"""The inbox as the daemon sees it: looked at again and again, handing out what has come to rest."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from loguru import logger

from trax.errors import TraxError
from trax.intake.names import printable
from trax.intake.scan import scan
from trax.intake.settle import Resting, Sighting, look, next_look, settled


@dataclass(frozen=True, slots=True)
class Untaken:
    """What stays in the inbox, why, and what to do about it."""

    name: str
    what: str
    advice: str


class Inbox:
    """The folder `folder`; a file is at rest after `quiet` seconds. All times are `time.monotonic()` of the caller."""

    def __init__(self, folder: Path, quiet: float) -> None:
        self._folder = folder
        self._quiet = quiet
        self._known: dict[str, Resting] = {}
        self._touched: set[str] = set()
        self._problems: dict[str, str] = {}
        self._refusals: dict[str, TraxError] = {}

    def touch(self, names: Iterable[str]) -> None:
        """Events told that something happened to these files (paths relative to the inbox)."""
        self._touched.update(names)

    def look(self, now: float) -> dict[str, Sighting]:
        """Scan, and return the files at rest, those that came to rest first in front. They are returned again until they are gone."""
        found = scan(self._folder)
        # Events that arrive from here on are about a state that this scan may not have seen: they count for the next look.
        touched, self._touched = self._touched, set()
        self._known = look(self._known, found.sightings, touched, now)
        for name, reason in found.problems.items():
            if self._problems.get(name) != reason:
                logger.warning("Cannot look into the inbox folder {!r}: {}.", printable(name or "."), reason)
        self._problems = found.problems
        self._refusals = {name: reason for name, reason in self._refusals.items() if name in found.sightings}
        return settled(self._known, self._quiet)

    def next_look(self) -> float | None:
        """When a further look may find a file settled; None when nothing is waited for."""
        return next_look(self._known, self._quiet)

    def unsettle(self, name: str) -> None:
        """A file turned out not to be at rest: it settles anew."""
        self._known.pop(name, None)

    def refuse(self, name: str, error: TraxError) -> None:
        """A file could not be taken, for this reason, which is logged once: it settles anew."""
        if str(self._refusals.get(name)) != str(error):
            logger.error("cannot be taken in: {}", error)
        self._refusals[name] = error
        self.unsettle(name)

    def untaken(self) -> list[Untaken]:
        """The files that could not be taken and the folders that could not be looked into, in order of their names."""
        advice = "Let the group trax read and enter it."
        closed = [Untaken(name or ".", f"Cannot look into this folder: {reason}.", advice) for name, reason in self._problems.items()]
        files = [Untaken(name, error.what, error.advice) for name, error in self._refusals.items()]
        return sorted((*files, *closed), key=lambda each: each.name)
