"""By what rule a second hearing replaces the first. Pure.

Only words whose middle lies in the core of a doubt are replaced. The second hearing is taken where

1. no word of the first reaches over an edge of the core;
2. it holds nothing that was taken for invented, and no loop;
3. on each side the nearest word around the core is the same in both hearings, at the same time, so that no word is doubled or lost at
   the edges;
4. it can be trusted more: the mean score of its words in the core, where every voice that no word covers counts as a word of score 0,
   is above that of the first by `MARGIN`. No words at all are trusted more only where there is no voice and the first were more likely
   wrong than right.

On a tie the first stays.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from trax.asr.doubt import Doubt, is_loop, unheard, words_of
from trax.transcript import Recognition, Refinement, Segment, Span, Word

#: By how much the mean score of the second hearing has to be above that of the first.
MARGIN = 0.0

_SILENCE_SCORE = 0.5  # what hearing nothing is worth where there is no voice
_NO_LETTER = re.compile(r"[\W_]+")


def revised(fast: Recognition, hearings: Sequence[tuple[Doubt, Recognition]], speech: Sequence[Span]) -> Recognition:
    """The first hearing with what the second ones (of disjoint spans, in order) say better, and a `Refinement` for each.

    `speech` is where voices are (in order, apart). What is replaced leaves its segments, which are parted there and keep their evidence;
    the new words stand in segments of their own, with the evidence of the second hearing.
    """
    first = words_of(fast)
    segments = list(fast.segments)
    refinements: list[Refinement] = []
    for doubt, heard in hearings:
        refinement = _judged(first, doubt, heard, speech)
        refinements.append(refinement)
        if refinement.is_taken:
            segments = [part for segment in segments for part in _without(segment, doubt.core)]
            segments.extend(part for segment in heard.segments for part in _within(segment, doubt.core))
    segments.sort(key=lambda segment: segment.start)
    return replace(fast, segments=tuple(segments), refinements=tuple(refinements))


def _judged(first: Sequence[Word], doubt: Doubt, heard: Recognition, speech: Sequence[Span]) -> Refinement:
    core = doubt.core
    invented = [each for each in heard.quarantined if any(_is_in(word, core) for word in each.segment.words)]
    everything = replace(heard, segments=(*heard.segments, *(each.segment for each in invented)))
    before = tuple(word for word in first if _is_in(word, core))
    after = tuple(_clamped(word, core) for word in words_of(everything) if _is_in(word, core))
    old, new = _trust(before, core, speech), _trust(after, core, speech)
    if any(word.start < edge < word.end for word in first for edge in (core.start, core.end)):
        objection = "a word reaches over the edge of what was in doubt"
    elif invented:
        objection = f"the second hearing was taken for invented: {invented[0].why}"
    elif any(segment.evidence and is_loop(segment.evidence) and _within(segment, core) for segment in heard.segments):
        objection = "the second hearing repeats itself"
    elif not _agree(_neighbours(first, doubt), _neighbours(words_of(heard), doubt)):
        objection = "the words around came out differently, so it is not sure where it belongs"
    elif new <= old + MARGIN:
        objection = f"the second hearing is not surer: {new:.2f} against {old:.2f}"
    else:
        return Refinement(doubt.span, before, after, is_taken=True, why=f"The second hearing is surer: {new:.2f} against {old:.2f}.")
    return Refinement(doubt.span, before, after, is_taken=False, why=f"The first hearing stays: {objection}.")


def _trust(words: Sequence[Word], core: Span, speech: Sequence[Span]) -> float:
    voices = (Span(max(span.start, core.start), min(span.end, core.end)) for span in speech)
    missing = unheard(words, [voice for voice in voices if voice.duration > 0])
    scores = [*(word.score for word in words), *(0.0 for _ in missing)]
    return sum(scores) / len(scores) if scores else _SILENCE_SCORE


def _neighbours(words: Sequence[Word], doubt: Doubt) -> tuple[Word | None, Word | None]:
    """The words of the span nearest to the core, before and after it."""
    before = [word for word in words if _is_in(word, Span(doubt.span.start, doubt.core.start))]
    after = [word for word in words if _is_in(word, Span(doubt.core.end, doubt.span.end))]
    return before[-1] if before else None, after[0] if after else None


def _agree(first: Sequence[Word | None], second: Sequence[Word | None]) -> bool:
    return all(
        (one is None and other is None)
        or (one is not None and other is not None and _key(one) == _key(other) and one.start < other.end and other.start < one.end)
        for one, other in zip(first, second, strict=True)
    )


def _key(word: Word) -> str:
    return _NO_LETTER.sub("", word.text).casefold()


def _is_in(word: Word, span: Span) -> bool:
    return span.start <= (word.start + word.end) / 2 < span.end


def _clamped(word: Word, span: Span) -> Word:
    return replace(word, start=max(word.start, span.start), end=min(word.end, span.end))


def _without(segment: Segment, core: Span) -> Iterator[Segment]:
    if not any(_is_in(word, core) for word in segment.words):
        yield segment
        return
    middle = (core.start + core.end) / 2
    outside = [word for word in segment.words if not _is_in(word, core)]
    for words in ([word for word in outside if word.start < middle], [word for word in outside if word.start >= middle]):
        if words:
            yield _segment(words, segment)


def _within(segment: Segment, core: Span) -> tuple[Segment, ...]:
    words = [_clamped(word, core) for word in segment.words if _is_in(word, core)]
    return (_segment(words, segment),) if words else ()


def _segment(words: Sequence[Word], origin: Segment) -> Segment:
    return replace(origin, start=words[0].start, end=max(word.end for word in words), words=tuple(words))
