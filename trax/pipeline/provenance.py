"""Where the words come from, fit to write: the evidence behind them, what was taken for invented, what was heard twice. Pure.

Times become whole milliseconds inside the recording, as all times that Trax writes; what has nothing to read is left out.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace

from trax.errors import WorkerError
from trax.formats.lines import one_line
from trax.pipeline.tidy import milliseconds, whole_milliseconds
from trax.transcript import Evidence, Quarantined, Recognition, Refinement, Segment, Span


def heard(recognition: Recognition, duration: float) -> tuple[Segment, ...]:
    """The engine's segments of which there is evidence, in order. Raises WorkerError for a time or figure that is not a number."""
    return tuple(_segments((segment for segment in recognition.segments if segment.evidence is not None), duration))


def quarantined(recognition: Recognition, duration: float) -> tuple[Quarantined, ...]:
    """What was taken for invented, in order. Raises WorkerError as `heard`."""
    in_order = sorted(recognition.quarantined, key=lambda each: each.segment.start)
    return tuple(replace(each, segment=segment) for each in in_order for segment in _segments([each.segment], duration))


def refinements(recognition: Recognition, duration: float) -> tuple[Refinement, ...]:
    """What was heard twice, in order. Raises WorkerError as `heard`."""
    in_order = sorted(recognition.refinements, key=lambda each: each.span.start)
    spans = (_inside(each.span.start, each.span.end, duration) for each in in_order)
    return tuple(replace(each, span=span) for each, span in zip(in_order, spans, strict=True) if span is not None)


def _segments(segments: Iterable[Segment], duration: float) -> Iterator[Segment]:
    for segment in sorted(segments, key=lambda segment: segment.start):
        span = _inside(segment.start, segment.end, duration)
        if span is not None and any(one_line(word.text) for word in segment.words):
            yield replace(segment, start=span.start, end=span.end, evidence=segment.evidence and _rounded(segment.evidence))


def _inside(start: float, end: float, duration: float) -> Span | None:
    """The part inside the recording, at least a millisecond of it; None where the recording has none."""
    length = whole_milliseconds(duration)
    first = max(min(milliseconds(start), length - 1), 0)
    return Span(first / 1000, max(min(milliseconds(end), length), first + 1) / 1000) if length else None


def _rounded(evidence: Evidence) -> Evidence:
    figures = asdict(evidence)
    if not all(map(math.isfinite, figures.values())):
        raise WorkerError("The recogniser gave evidence that is not a number.")
    return Evidence(**{name: round(figure, 4) + 0 for name, figure in figures.items()})  # + 0: none is written as -0.0
