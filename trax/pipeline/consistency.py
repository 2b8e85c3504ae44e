"""Whether the parts of a transcript agree with each other; one that fails here is not published. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice, pairwise

from trax.errors import TranscriptError
from trax.transcript import Segment, Transcript, Turn, Word

_SHOWN = 5


def check(transcript: Transcript) -> None:
    """Check that times are in order and inside the recording, words within their segment, and speakers known.

    Raises:
        TranscriptError: Something does not agree; the first few contradictions are named.
    """
    found = list(islice(_problems(transcript), _SHOWN))
    if found:
        raise TranscriptError(f"The transcript contradicts itself: {'; '.join(found)}.", file=transcript.media.name)


def _problems(transcript: Transcript) -> Iterator[str]:
    duration = transcript.media.duration
    known = {speaker.label for speaker in transcript.speakers}
    if len(known) != len(transcript.speakers):
        yield "a speaker is listed twice"
    yield from _times_of("segment", transcript.segments, duration)
    yield from _times_of("turn", transcript.turns, duration)
    yield from _in_order("segment", transcript.segments)
    for turn, following in pairwise(transcript.turns):
        if following.start < turn.start:
            yield f"the turn at {following.start} s is out of order"
    for turn in transcript.turns:
        if turn.speaker not in known:
            yield f"the turn at {turn.start} s is by {turn.speaker!r}, who is not listed"
        if not 0 <= turn.confidence <= 1:
            yield f"the turn at {turn.start} s has the confidence {turn.confidence}"
    for segment in transcript.segments:
        yield from _problems_of(segment, known)
    yield from _wrong_figures(transcript)


def _problems_of(segment: Segment, known: set[str]) -> Iterator[str]:
    if not segment.words:
        yield f"the segment at {segment.start} s has no words"
    if segment.speaker is not None and segment.speaker not in known:
        yield f"the segment at {segment.start} s is by {segment.speaker!r}, who is not listed"
    yield from _times_of("word", segment.words, segment.end, segment.start)
    yield from _in_order("word", segment.words)
    for word in segment.words:
        if word.speaker != segment.speaker:
            yield f"the word at {word.start} s is not by the speaker of its segment"
        if not 0 <= word.score <= 1:
            yield f"the word at {word.start} s has the score {word.score}"


def _times_of(what: str, pieces: Sequence[Segment | Turn | Word], last: float, first: float = 0.0) -> Iterator[str]:
    for piece in pieces:
        # comparisons with NaN are false: a time that is no number fails here as well
        if not first <= piece.start < piece.end <= last:
            yield f"a {what} from {piece.start} to {piece.end} s is not within {first} to {last} s"


def _in_order(what: str, pieces: Sequence[Segment | Word]) -> Iterator[str]:
    for piece, following in pairwise(pieces):
        if not piece.end <= following.start:
            yield f"the {what} at {following.start} s begins before the one at {piece.start} s ends"


def _wrong_figures(transcript: Transcript) -> Iterator[str]:
    spoken = Counter(word.speaker for segment in transcript.segments for word in segment.words)
    for speaker in transcript.speakers:
        if speaker.words != spoken[speaker.label]:
            yield f"{speaker.label!r} is listed with {speaker.words} words, but spoke {spoken[speaker.label]}"
        if not (math.isfinite(speaker.talk) and speaker.talk >= 0):
            yield f"{speaker.label!r} is listed with {speaker.talk} s of talk"
    estimate = transcript.accuracy_estimate
    if (estimate is None) != (not transcript.segments) or (estimate is not None and not 0 <= estimate <= 1):
        yield f"the accuracy estimate is {estimate} for {len(transcript.segments)} segments"
