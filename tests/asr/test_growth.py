"""What is done with a whole recording's words takes time in proportion to them: hours must not take days."""

from __future__ import annotations

import time
from collections.abc import Callable
from random import Random

from trax.asr.doubt import doubtful_spans
from trax.asr.hallucinations import sifted
from trax.asr.revision import revised
from trax.asr.spans import touching
from trax.asr.windows import pack
from trax.transcript import Evidence, Quarantined, Recognition, Segment, Span, Word

SHORT, LONG = 900.0, 7200.0  # seconds of recording
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


def seconds_of_work(work: Callable[[], object]) -> float:
    """Of the processor: another program that wants it changes little."""
    start = time.thread_time()
    work()
    return time.thread_time() - start


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
    grew = {name: seconds_of_work(long[name]) / min(seconds_of_work(short[name]) for _ in range(3)) for name in short}
    assert {name: factor for name, factor in grew.items() if factor > MOST} == {}
