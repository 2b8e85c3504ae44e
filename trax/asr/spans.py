"""Spans of a recording that are in order and apart: what lies where, in time that does not grow with their number. Pure."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence

from trax.transcript import Span


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
