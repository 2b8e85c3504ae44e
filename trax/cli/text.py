"""Plain values in words for people: times, shares, languages."""

from __future__ import annotations

from collections.abc import Sequence

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
#: More codes of languages than that are counted rather than listed.
_MOST_CODES = 6


def span(seconds: float | None) -> str:
    """A length of time in the two largest units: `45s`, `3m05s`, `2h10m`, `3d04h`; `-` when unknown."""
    if seconds is None:
        return "-"
    whole = max(0, round(seconds))
    if whole < _MINUTE:
        return f"{whole}s"
    if whole < _HOUR:
        return f"{whole // _MINUTE}m{whole % _MINUTE:02d}s"
    if whole < _DAY:
        return f"{whole // _HOUR}h{whole % _HOUR // _MINUTE:02d}m"
    return f"{whole // _DAY}d{whole % _DAY // _HOUR:02d}h"


def speed(times: float | None) -> str:
    """Audio seconds per second of work: `3.4×`; `-` when unknown."""
    return "-" if times is None else f"{times:.1f}×"


def percent(fraction: float | None) -> str:
    """A share of one as whole per cents, rounded down so that 100% means done; `-` when unknown."""
    return "-" if fraction is None else f"{int(min(max(fraction, 0.0), 1.0) * 100)}%"


def languages(codes: Sequence[str]) -> str:
    """The languages of a model: by their codes, or how many where nobody would read them all."""
    return ", ".join(codes) if len(codes) <= _MOST_CODES else f"{len(codes)} languages"
