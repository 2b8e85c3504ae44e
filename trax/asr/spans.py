"""What lies where in a recording: spans, and whatever has a start and an end, in order. Pure."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from trax.transcript import Segment, Span, Word

_Lasting = TypeVar("_Lasting", Word, Segment)


def touching(spans: Sequence[Span], start: float, end: float) -> Sequence[Span]:
    """Those that share some of `start` to `end`, or an edge with it."""
    first = bisect_left(spans, start, key=lambda span: span.end)
    return spans[first : bisect_right(spans, end, lo=first, key=lambda span: span.start)]


def intersection(first: Sequence[Span], second: Sequence[Span]) -> Iterator[Span]:
    """What is in both."""
    i = j = 0
    while i < len(first) and j < len(second):
        start, end = max(first[i].start, second[j].start), min(first[i].end, second[j].end)
        if start < end:
            yield Span(start, end)
        if first[i].end < second[j].end:
            i += 1
        else:
            j += 1


def parted(items: Iterable[_Lasting], pause: float) -> Iterator[list[_Lasting]]:
    """The items, in order, in groups that begin anew where nothing is for `pause` seconds or more."""
    group: list[_Lasting] = []
    for item in items:
        if group and item.start - group[-1].end >= pause:
            yield group
            group = []
        group.append(item)
    if group:
        yield group
