"""Which loaded models give way to one that is to be loaded. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Held:
    """A loaded model: what it costs in bytes, the turn in which it was last used (the higher, the later), and whether it is in use now."""

    key: str
    cost: int
    last_used: int
    is_in_use: bool = False


def evictions(held: Sequence[Held], missing: int, keep: Sequence[str], *, spare_kept: bool) -> tuple[str, ...] | None:
    """The keys to evict, in that order, so that `missing` more bytes come free; none where nothing is missing.

    Those that nobody named in `keep` go first, the least recently used before the others. Then those that are kept, unless
    `spare_kept`: `keep` has the soonest wanted first, and the one that is wanted last goes first. What is in use stays. None when
    all that may go is not enough.
    """
    unnamed = sorted((one for one in held if one.key not in keep), key=lambda one: one.last_used)
    named = sorted((one for one in held if one.key in keep), key=lambda one: keep.index(one.key), reverse=True)
    chosen: list[str] = []
    for one in unnamed if spare_kept else [*unnamed, *named]:
        if missing <= 0:
            break
        if not one.is_in_use:
            chosen.append(one.key)
            missing -= one.cost
    return None if missing > 0 else tuple(chosen)
