"""What is done with a whole recording's words takes work in proportion to them: hours must not take days."""

from __future__ import annotations

import sys
from collections.abc import Callable
from random import Random
from types import FrameType
from typing import Any

from trax.asr.doubt import doubtful_spans
from trax.asr.hallucinations import sifted
from trax.asr.revision import revised
from trax.asr.spans import touching
from trax.asr.windows import pack
from trax.transcript import Evidence, Quarantined, Recognition, Segment, Span, Word

SHORT, LONG = 225.0, 1800.0  # seconds of recording
#: Three times what is in proportion; what is in proportion to the square would take 64 times as long.
MOST = 24.0

GOOD = Evidence(-0.3, 1.2, 2.0, 0.1, 0.2, 1)
BAD = Evidence(-1.5, 1.2, 2.0, 0.9, 4.0, 1)


def talk(seconds: float) -> tuple[Recognition, tuple[Span, ...]]:
    """What a first pass hears: some words unsure, some segments bad, some quarantined; and where voices are."""
    draw, time_, segments, speech = Random(1), 0.5, list[Segment](), list[Span]()
    while time_ < seconds - 10:
        begin, words = time_, list[Word]()
        for _ in range(draw.randint(3, 12)):
            length = draw.uniform(0.2, 0.5)
            words.append(Word(draw.choice(("one", "two", "three")), time_, time_ + length, draw.random() ** 0.3))
            time_ += length
        segments.append(Segment(begin, time_, tuple(words), evidence=BAD if draw.random() < 0.1 else GOOD))
        speech.append(Span(begin - 0.1, time_ + 0.1))
        time_ += draw.uniform(0.3, 1.6)
    quarantined = tuple(Quarantined(segment, "invented") for segment in segments if draw.random() < 0.1)
    taken = {id(each.segment) for each in quarantined}
    return Recognition("en", tuple(segment for segment in segments if id(segment) not in taken), quarantined), tuple(speech)


def work_of(work: Callable[[], object]) -> int:
    """How many instructions of Python it takes: the same on every machine, however busy."""
    count = 0

    def trace(frame: FrameType, event: str, _argument: object) -> Any:
        nonlocal count
        frame.f_trace_lines, frame.f_trace_opcodes = False, True
        count += event == "opcode"
        return trace

    former = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(former)
    return count


def steps(seconds: float) -> dict[str, Callable[[], object]]:
    """What is done with the words of a recording, apart from hearing them."""
    recognition, speech = talk(seconds)
    doubts = doubtful_spans(recognition, speech, seconds, 0.6)
    spans = [doubt.span for doubt in doubts]
    inside = tuple(segment for segment in recognition.segments if touching(spans, segment.start, segment.end))
    again = Recognition("en", inside, recognition.quarantined)
    return {
        "pack": lambda: pack(speech, 30.0, lambda _, end: end),
        "sifted": lambda: sifted(recognition.segments, speech),
        "doubtful_spans": lambda: doubtful_spans(recognition, speech, seconds, 0.6),
        "revised": lambda: revised(recognition, doubts, again, speech),
    }


def test_eight_times_the_recording_is_about_eight_times_the_work():
    short, long = steps(SHORT), steps(LONG)
    grew = {name: work_of(long[name]) / work_of(short[name]) for name in short}
    assert {name: factor for name, factor in grew.items() if factor > MOST} == {}
