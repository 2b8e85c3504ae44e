"""Which pieces of a recording deserve a second hearing. Pure.

In doubt are: words whose score is below a threshold; segments whose evidence is bad; voices that no word covers, since what is left out is
wrong too; and voices where what was heard was taken for invented. Each is grown to pauses, with sound around it that a model needs to
find its way; neighbours are joined, and what is longer than a model hears at once is split.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from trax.asr.evidence import GUESS_LOG_PROBABILITY, LOOP_COMPRESSION
from trax.asr.spans import intersection, touching
from trax.transcript import Evidence, Recognition, Span, Word

#: Seconds: a Whisper window of 30 s with room for the padding at its end.
LONGEST = 28.0
#: Seconds without words or voice to which what is in doubt grows: words that run into each other are heard wrong together.
PAUSE = 0.1
#: Seconds that it grows at most for that.
FARTHEST_PAUSE = 1.0
#: Seconds of sound on each side of what is in doubt; less where the recording ends or a pause of `UTTERANCE_PAUSE` comes first.
CONTEXT = 0.5
#: Seconds that the context may grow beyond that, to end in a pause.
REACH = 0.5
#: Seconds without words or voice after which another utterance begins.
UTTERANCE_PAUSE = 0.7
#: Seconds: spans that are nearer to each other are heard as one.
NEAR = 0.5
#: Seconds of a voice without words in which a short word may have been left out.
SHORTEST_UNHEARD = 0.5

_MARGIN = 0.25  # seconds, at most, of the pause beside what is in doubt that count as part of it
_WORST_ANOMALY = 3.0  # from there on faster-whisper takes a segment for invented (`is_segment_anomaly`)


@dataclass(frozen=True, slots=True)
class Doubt:
    """What is in doubt: `core`, whose words may be replaced, inside `span`, which is heard again: the core and the sound around it."""

    core: Span
    span: Span


def doubtful_spans(recognition: Recognition, speech: Sequence[Span], duration: float, threshold: float) -> tuple[Doubt, ...]:
    """What is in doubt in a recording of `duration` seconds with voices in `speech` (in order, apart).

    Words whose score is below `threshold` are in doubt. The spans are in order and disjoint, inside the recording, at most `LONGEST`; no
    edge of a core lies inside a word.
    """
    words = words_of(recognition)
    voiced = unheard(words, speech)
    onwards = list(_gaps(sorted([*map(_span, words), *voiced], key=lambda span: span.start), 0.0, duration))
    backwards = [_mirrored(pause) for pause in reversed(onwards)]
    doubts: list[Doubt] = []
    for mark in sorted(_marks(recognition, speech, voiced, threshold), key=lambda mark: mark.start):
        start, end = max(0.0, mark.start), min(duration, mark.end)
        if start >= end:
            continue
        core = Span(-_end_of_core(-start, backwards, 0.0), _end_of_core(end, onwards, duration))
        span = Span(-_end_of_context(-core.start, backwards, 0.0), _end_of_context(core.end, onwards, duration))
        if doubts and span.start - doubts[-1].span.end < NEAR:
            core, span = _hull(doubts[-1].core, core), _hull(doubts.pop().span, span)
        doubts.append(Doubt(core, span))
    return tuple(part for doubt in doubts for part in _split(doubt, onwards))


def words_of(recognition: Recognition) -> list[Word]:
    """All words that count, in order of time."""
    return sorted((word for segment in recognition.segments for word in segment.words), key=lambda word: (word.start, word.end))


def unheard(words: Sequence[Word], speech: Sequence[Span]) -> list[Span]:
    """The stretches of `speech` of at least `SHORTEST_UNHEARD` that no word covers, in order. Words and spans are in order."""
    if not speech:
        return []
    silent = list(_gaps(map(_span, words), speech[0].start, speech[-1].end))
    return [span for span in intersection(silent, speech) if span.duration >= SHORTEST_UNHEARD]


def is_loop(evidence: Evidence) -> bool:
    """Whether the text repeats itself as no speaker does."""
    return evidence.compression_ratio > LOOP_COMPRESSION


def _marks(recognition: Recognition, speech: Sequence[Span], voiced: Sequence[Span], threshold: float) -> Iterator[Span]:
    for segment in recognition.segments:
        if segment.evidence and _is_bad(segment.evidence):
            yield Span(segment.start, segment.end)
        yield from (_span(word) for word in segment.words if word.score < threshold)
    yield from voiced
    for each in recognition.quarantined:
        span = Span(each.segment.start, each.segment.end)
        yield from intersection([span], touching(speech, span.start, span.end))


def _is_bad(evidence: Evidence) -> bool:
    return is_loop(evidence) or evidence.average_log_probability < GUESS_LOG_PROBABILITY or evidence.anomaly >= _WORST_ANOMALY


# Growing towards the start is growing towards the end with time reversed.


def _mirrored(span: Span) -> Span:
    return Span(-span.end, -span.start)


def _end_of_core(time: float, pauses: Sequence[Span], limit: float) -> float:
    """Into the first pause worth the name that ends at or after `time`, or, if that is far, any: to its middle, or a margin."""
    near = touching(pauses, time, time + FARTHEST_PAUSE)
    pause = next((pause for pause in near if pause.duration >= PAUSE), near[0] if near else Span(limit, limit))
    start = max(time, pause.start)
    return min(start + _MARGIN, (start + pause.end) / 2)


def _end_of_context(edge: float, pauses: Sequence[Span], limit: float) -> float:
    """Into the first pause between utterances; failing that, the middle of the longest pause after `CONTEXT` and before `REACH` ends."""
    earliest, latest = edge + CONTEXT, min(edge + CONTEXT + REACH, limit)
    near = touching(pauses, edge, latest)
    for pause in near:
        if pause.duration >= UTTERANCE_PAUSE:
            return max(edge, min(pause.start + UTTERANCE_PAUSE / 2, latest))
    return _best_cut(near, earliest, latest)


def _best_cut(pauses: Iterable[Span], earliest: float, latest: float) -> float:
    """The middle of the longest pause (the first of several) between two times; `latest` where there is none."""
    within = [Span(max(pause.start, earliest), min(pause.end, latest)) for pause in pauses]
    possible = [pause for pause in within if pause.start <= pause.end]
    if not possible:
        return latest
    longest = max(possible, key=lambda pause: pause.duration)
    return (longest.start + longest.end) / 2


def _split(doubt: Doubt, pauses: Sequence[Span]) -> Iterator[Doubt]:
    """Parts of at most `LONGEST`, cut at the longest pause in the second half of each; those without a core are dropped."""
    start = doubt.span.start
    while start < doubt.span.end:
        end = doubt.span.end
        if end - start > LONGEST:
            end = _best_cut(touching(pauses, start, start + LONGEST), start + LONGEST / 2, start + LONGEST)
        core = Span(max(start, doubt.core.start), min(end, doubt.core.end))
        if core.duration > 0:
            yield Doubt(core, Span(start, end))
        start = end


def _gaps(busy: Iterable[Span], start: float, end: float) -> Iterator[Span]:
    """What of `start` to `end` is in none of `busy` (in order of start); where two touch, a gap without length."""
    at = start
    for span in busy:
        if at <= min(span.start, end):
            yield Span(at, min(span.start, end))
        at = max(at, span.end)
    if at <= end:
        yield Span(at, end)


def _hull(first: Span, second: Span) -> Span:
    return Span(min(first.start, second.start), max(first.end, second.end))


def _span(word: Word) -> Span:
    return Span(word.start, word.end)
