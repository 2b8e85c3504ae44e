"""By what rule a second hearing replaces the first. Pure.

Only words whose middle lies in the core of a doubt are replaced. The second hearing is taken where

1. no word of the first reaches over an edge of the core;
2. it holds nothing that was taken for invented, and no loop;
3. aligned with the first by time (a counterpart shares at least half of the shorter word; of two, the one with the same text), none of
   its words lies on the other side of an edge than its counterpart, so that no word is doubled or lost there;
4. it can be trusted more: the mean score of its words in the core, where every voice that no word covers counts as a word of score 0,
   is above that of the first by `MARGIN`. No words at all are trusted more only where there is no voice and the first were more likely
   wrong than right.

On a tie the first stays.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby

from trax.asr.doubt import Doubt, is_loop, unheard
from trax.asr.hallucinations import sifted
from trax.asr.repeats import bare
from trax.asr.spans import intersection, touching
from trax.transcript import Quarantined, Recognition, Refinement, Segment, Span, Word

#: By how much the mean score of the second hearing has to be above that of the first.
MARGIN = 0.03

_SAME = 0.5  # of the shorter of two words: what both share when they are the same
_SILENCE_SCORE = 0.5  # what hearing nothing is worth where there is no voice


def revised(
    fast: Recognition, doubts: Sequence[Doubt], heard: Recognition, speech: Sequence[Span], *, is_calibrated: bool = False
) -> Recognition:
    """The first hearing with what the second one (of the spans of `doubts`) says better, and a `Refinement` for each span.

    `speech` is where voices are (in order, apart); `is_calibrated` is said of the second hearing's scores. What is replaced leaves its
    segments, which are parted there and keep their evidence; the new words stand in segments of their own, with the evidence of the second
    hearing.
    """
    believed, invented = _sifted_among(fast, doubts, heard, speech, is_calibrated)
    first, second = _Words(fast.segments), _Words(believed)
    suspects = _by_place(invented, [doubt.core for doubt in doubts])
    refinements = tuple(_judged(doubt, first, second, suspects.get(index, ()), speech) for index, doubt in enumerate(doubts))
    taken = [doubt.core for doubt, refinement in zip(doubts, refinements, strict=True) if refinement.is_taken]
    segments = [part for segment in fast.segments for part in _parts(segment, taken, inside=False)]
    segments += [part for segment in believed for part in _parts(segment, taken, inside=True)]
    return replace(fast, segments=tuple(sorted(segments, key=lambda segment: segment.start)), refinements=refinements)


def _sifted_among(
    fast: Recognition,
    doubts: Sequence[Doubt],
    heard: Recognition,
    speech: Sequence[Span],
    is_calibrated: bool,  # noqa: FBT001 - handed on as it came
) -> tuple[list[Segment], list[Quarantined]]:
    """What of the second hearing is believed and what is taken for invented, as judged in its surroundings.

    The engine heard nothing but the spans: it takes a segment for lonely where the first hearing has words all around.
    """
    spans = [doubt.span for doubt in doubts]
    around = [part for segment in fast.segments for part in _parts(segment, spans, inside=False)]
    again = [*heard.segments, *(each.segment for each in heard.quarantined)]
    own = {id(segment) for segment in again}
    kept, quarantined = sifted(sorted([*around, *again], key=lambda segment: segment.start), speech, is_calibrated=is_calibrated)
    invented = [each for each in quarantined if id(each.segment) in own]
    invented += [Quarantined(each, "it repeats itself") for each in kept if id(each) in own and _is_loop(each)]
    return [each for each in kept if id(each) in own], invented


class _Words:
    """Words by the time of their middle."""

    def __init__(self, segments: Iterable[Segment]) -> None:
        self._words = sorted((word for segment in segments for word in segment.words), key=_middle)
        self._middles = [_middle(word) for word in self._words]

    def within(self, span: Span) -> tuple[Word, ...]:
        return tuple(self._words[bisect_left(self._middles, span.start) : bisect_left(self._middles, span.end)])

    def around(self, span: Span) -> tuple[Word | None, Word | None]:
        """The nearest word before a span and the nearest after it."""
        before, after = bisect_left(self._middles, span.start), bisect_left(self._middles, span.end)
        return self._words[before - 1] if before else None, self._words[after] if after < len(self._words) else None


def _by_place(invented: Iterable[Quarantined], cores: Sequence[Span]) -> Mapping[int, Sequence[Quarantined]]:
    """What was taken for invented by the index of the core that words of it lie in."""
    places: dict[int, list[Quarantined]] = defaultdict(list)
    for each in invented:
        for index in {index for index, is_inside in (_place(word, cores) for word in each.segment.words) if is_inside}:
            places[index].append(each)
    return places


def _judged(doubt: Doubt, first: _Words, second: _Words, suspects: Sequence[Quarantined], speech: Sequence[Span]) -> Refinement:
    core = doubt.core
    before = first.within(core)
    after = tuple(_clamped(word, core) for word in (_Words(each.segment for each in suspects) if suspects else second).within(core))
    old, new = _trust(before, core, speech), _trust(after, core, speech)
    if any(word and word.start < edge < word.end for word in (*before, *first.around(core)) for edge in (core.start, core.end)):
        objection = "a word reaches over the edge of what was in doubt"
    elif suspects:
        objection = f"the second hearing was taken for invented: {suspects[0].why}"
    elif _crosses_an_edge(doubt, first, second):
        objection = "a word at its edge came out on the other side"
    elif new <= old + MARGIN:
        objection = f"the second hearing is not surer: {new:.2f} against {old:.2f}"
    else:
        return Refinement(doubt.span, before, after, is_taken=True, why=f"The second hearing is surer: {new:.2f} against {old:.2f}.")
    return Refinement(doubt.span, before, after, is_taken=False, why=f"The first hearing stays: {objection}.")


def _trust(words: Sequence[Word], core: Span, speech: Sequence[Span]) -> float:
    voices = list(intersection([core], touching(speech, core.start, core.end)))
    scores = [*(word.score for word in words), *(0.0 for _ in unheard(words, voices))]
    return sum(scores) / len(scores) if scores else _SILENCE_SCORE


def _crosses_an_edge(doubt: Doubt, first: _Words, second: _Words) -> bool:
    """Whether a word of the second hearing in the span is in the core and its counterpart of the first is not, or the other way round."""
    inside = first.within(doubt.core)
    candidates = [*inside, *(word for word in first.around(doubt.core) if word)]
    for word in second.within(doubt.span):
        same = [candidate for candidate in candidates if _is_same(word, candidate)]
        if same:
            counterpart = max(same, key=lambda candidate: (bare(candidate.text) == bare(word.text), _shared(candidate, word)))
            if (counterpart in inside) != (doubt.core.start <= _middle(word) < doubt.core.end):
                return True
    return False


def _is_same(one: Word, other: Word) -> bool:
    return _shared(one, other) >= _SAME * min(one.end - one.start, other.end - other.start)


def _shared(one: Word, other: Word) -> float:
    return min(one.end, other.end) - max(one.start, other.start)


def _parts(segment: Segment, cores: Sequence[Span], *, inside: bool) -> Iterator[Segment]:
    """What of a segment lies in each of `cores`, or between them."""
    if not inside and not any(_place(word, cores)[1] for word in segment.words):
        yield segment
        return
    for (index, is_inside), group in groupby(segment.words, key=lambda word: _place(word, cores)):
        if is_inside is inside:
            words = tuple(_clamped(word, cores[index]) if inside else word for word in group)
            yield replace(segment, start=words[0].start, end=max(word.end for word in words), words=words)


def _place(word: Word, cores: Sequence[Span]) -> tuple[int, bool]:
    """The index of the last core that begins before the middle of a word (-1: none does), and whether the middle lies in it."""
    index = bisect_right(cores, _middle(word), key=lambda core: core.start) - 1
    return index, index >= 0 and _middle(word) < cores[index].end


def _is_loop(segment: Segment) -> bool:
    return segment.evidence is not None and is_loop(segment.evidence)


def _clamped(word: Word, span: Span) -> Word:
    return replace(word, start=max(word.start, span.start), end=min(word.end, span.end))


def _middle(word: Word) -> float:
    return (word.start + word.end) / 2
