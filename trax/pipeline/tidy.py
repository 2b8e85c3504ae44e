"""What the engines heard, made fit to merge: whole milliseconds, in order, inside the recording. Pure.

Engines give times that overlap a little, have no length, or lie just past the end. Subtitles, and everybody who reads the
outputs, want none of that; whole milliseconds are what SRT and WebVTT can write, so that all outputs agree.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from trax.errors import WorkerError
from trax.formats.lines import one_line
from trax.transcript import Recognition, Turn, Word


@dataclass(frozen=True, slots=True)
class _Heard:
    """A word with its times in milliseconds, held inside the utterance it was heard in."""

    text: str
    start: int
    end: int
    score: float


def milliseconds(seconds: float) -> int:
    """The nearest whole millisecond.

    Raises:
        WorkerError: The time is not a finite number.
    """
    if not math.isfinite(seconds):
        raise WorkerError("A model gave a time that is not a number.")
    return round(seconds * 1000)


def whole_milliseconds(duration: float) -> int:
    """The milliseconds that fit a duration: no time in the outputs may lie past the end. Raises WorkerError as `milliseconds`."""
    nearest = milliseconds(duration)
    return max(nearest if nearest / 1000 <= duration else nearest - 1, 0)


def tidy_words(recognition: Recognition, duration: float) -> tuple[Word, ...]:
    """Every word that can be read, in the order of the utterances and as the engine put them.

    A word begins at least a millisecond after the one before, lasts at least a millisecond, ends before the next begins
    and lies within 0 and `duration` seconds. Scores are held between 0 and 1.

    Raises:
        WorkerError: A time or score is not a finite number, or there are more words than milliseconds.
    """
    heard = list(_heard(recognition))
    length = whole_milliseconds(duration)
    if len(heard) > length:
        raise WorkerError(f"The recogniser gave {len(heard)} words for {duration:.3f} seconds.")
    starts = _ascending([word.start for word in heard], length)
    followed = [*starts, length][1:]
    ends = [min(max(word.end, start + 1), following) for word, start, following in zip(heard, starts, followed, strict=True)]
    return tuple(
        Word(word.text, start / 1000, end / 1000, word.score) for word, start, end in zip(heard, starts, ends, strict=True)
    )


def _heard(recognition: Recognition) -> Iterator[_Heard]:
    for segment in sorted(recognition.segments, key=lambda segment: segment.start):
        first, last = milliseconds(segment.start), milliseconds(segment.end)
        for word in segment.words:
            if not math.isfinite(word.score):
                raise WorkerError("The recogniser gave a score that is not a number.")
            if text := one_line(word.text):
                # one wild time must not push every later word: it cannot leave its utterance
                start = min(max(milliseconds(word.start), first), last)
                yield _Heard(text, start, milliseconds(word.end), round(min(max(word.score, 0.0), 1.0), 4))


def _ascending(starts: Sequence[int], length: int) -> list[int]:
    """The starts moved as little as makes each later than the one before and leaves a millisecond for all before the end."""
    moved: list[int] = []
    for index, start in enumerate(starts):
        latest = length - (len(starts) - index)
        earliest = moved[-1] + 1 if moved else 0
        moved.append(min(max(start, earliest), latest))
    return moved


def tidy_turns(turns: Iterable[Turn], duration: float) -> tuple[Turn, ...]:
    """The turns in order of start, inside the recording; those of one speaker that overlap become one, with the lower confidence.

    Raises:
        WorkerError: A time or confidence is not a finite number.
    """
    length = whole_milliseconds(duration)
    by_speaker: dict[str, list[tuple[int, int, float]]] = {}
    for turn in sorted(turns, key=lambda turn: turn.start):
        if not math.isfinite(turn.confidence):
            raise WorkerError("Diarization gave a confidence that is not a number.")
        start, end = max(milliseconds(turn.start), 0), min(milliseconds(turn.end), length)
        if start >= end:
            continue
        own = by_speaker.setdefault(one_line(turn.speaker), [])
        confidence = round(min(max(turn.confidence, 0.0), 1.0), 4)
        if own and start < own[-1][1]:
            before = own.pop()
            start, end, confidence = before[0], max(before[1], end), min(before[2], confidence)
        own.append((start, end, confidence))
    joined = [Turn(start / 1000, end / 1000, who, confidence) for who, own in by_speaker.items() for start, end, confidence in own]
    return tuple(sorted(joined, key=lambda turn: (turn.start, turn.end, turn.speaker)))
