"""Which segments are taken for invented. Pure.

Whisper was taught on subtitles, so it fills silence, noise and music with words, and may repeat itself without end. No single figure tells
this from speech: people say "no no no", thank each other, and read out long numbers. So every rule here needs two things that do not go
together in speech, except for words where voice activity found nothing at all.

Thresholds: 0.6 and -1.0 (nobody speaks) and 2.4 (compression) are those of openai/whisper's `transcribe.py`; the anomaly and the silence
around it are those of faster-whisper. The others are ours, chosen so that real speech stays.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from trax.asr.evidence import GUESS_LOG_PROBABILITY, LOOP_COMPRESSION, NOBODY_SPEAKS, is_anomalous
from trax.asr.repeats import Repeat, repeats
from trax.asr.spans import parted, touching
from trax.asr.stock_phrases import is_stock_phrase
from trax.transcript import Evidence, Quarantined, Segment, Span, Word

_SOME_DOUBT_OF_SPEECH, _SOME_DOUBT = 0.3, -0.5  # enough to doubt a stock phrase
_TIME_ERROR = 0.3  # seconds by which a word may be placed beside its sound
_LEAST_SPEECH, _LITTLE_SPEECH = 0.1, 0.5  # shares of the words' time
_SILENCE_AROUND = 2.0  # seconds
_UNSURE, _SEVERAL_WORDS = 0.6, 3  # the mean score of so many words or more: real digits in noise stay above it

_FASTEST = 8.0  # words a second; the fastest talkers reach six
_SEVERAL, _VERY_MANY = 4, 10  # times in a row
_LONG_LOOP = 30  # words
_MANY_CHARACTERS = 100

UNHEARD = "no speech was found there"
NOBODY = "the model itself took it for no speech, and was unsure of the words"
LOOP = "it repeats itself without end"
RATE = "it repeats itself faster than anyone speaks"
DOUBTFUL_LOOP = "it repeats itself where speech is doubtful"
MONOTONOUS = "it hardly says anything new where speech is doubtful"
STOCK = "a phrase that models are known to invent, where speech is doubtful"
UNSURE = "the model was unsure of nearly all it heard between two silences"
ODD = "words of odd length or probability, where speech is doubtful or all around is silence"


@dataclass(frozen=True, slots=True)
class _Heard:
    """A segment with what the rules ask about it. `speech` is the share of its words' time in which voice activity found some."""

    segment: Segment
    evidence: Evidence
    speech: float
    is_alone: bool

    @property
    def is_doubtful(self) -> bool:
        """Whether something besides the words themselves speaks against it."""
        evidence = self.evidence
        is_guess = evidence.average_log_probability < GUESS_LOG_PROBABILITY
        return evidence.no_speech > NOBODY_SPEAKS or is_guess or self.speech < _LITTLE_SPEECH

    @property
    def is_plainly_good(self) -> bool:
        return (
            self.evidence.no_speech <= _SOME_DOUBT_OF_SPEECH
            and self.evidence.average_log_probability >= _SOME_DOUBT
            and self.speech >= _LITTLE_SPEECH
            and not is_anomalous(self.evidence, len(self.segment.words))
        )

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.segment.words)


def sifted(
    segments: Sequence[Segment], speech: Sequence[Span], *, is_calibrated: bool = False
) -> tuple[tuple[Segment, ...], tuple[Quarantined, ...]]:
    """The segments that are believed, and those that are not, each with why; both in order.

    `speech` is what voice activity found, in order. Whole stretches are judged by their words' scores only where these are calibrated: what
    a model thinks of itself is low for real speech in noise, too. Segments without evidence (PocketSphinx's) are believed.
    """
    near = tuple(_widened(speech))
    heard = [_heard(index, segments, near) for index in range(len(segments))]
    looping, unsure = _looping([each for each in heard if each is not None]), _unsure(segments) if is_calibrated else {}
    kept: list[Segment] = []
    quarantined: list[Quarantined] = []
    for segment, each in zip(segments, heard, strict=True):
        why = None if each is None else looping.get(id(segment)) or _why(each) or unsure.get(id(segment))
        if why is None:
            kept.append(segment)
        else:
            quarantined.append(Quarantined(segment, why))
    return tuple(kept), tuple(quarantined)


def _why(heard: _Heard) -> str | None:
    """What speaks against a segment by itself."""
    evidence = heard.evidence
    if heard.speech < _LEAST_SPEECH:
        return UNHEARD
    if evidence.no_speech > NOBODY_SPEAKS and evidence.average_log_probability < GUESS_LOG_PROBABILITY:
        return NOBODY
    if is_stock_phrase(heard.text) and not heard.is_plainly_good:
        return STOCK
    if evidence.compression_ratio > LOOP_COMPRESSION and len(heard.text) >= _MANY_CHARACTERS and heard.is_doubtful:
        return MONOTONOUS
    is_odd = is_anomalous(evidence, len(heard.segment.words))
    is_unsure_alone = heard.is_alone and evidence.average_log_probability < _SOME_DOUBT
    if is_odd and (is_unsure_alone or evidence.no_speech > NOBODY_SPEAKS or heard.speech < _LITTLE_SPEECH):
        return ODD
    return None


def _unsure(segments: Sequence[Segment]) -> dict[int, str]:
    """The segments (by identity) of stretches between two silences of which the model was unsure: babble and noise with some voice in it.

    One unsure segment among others is what refinement is for.
    """
    why: dict[int, str] = {}
    for stretch in parted(segments, _SILENCE_AROUND):
        scores = [word.score for segment in stretch for word in segment.words]
        if len(scores) >= _SEVERAL_WORDS and sum(scores) < _UNSURE * len(scores):  # where there is no evidence, `sifted` believes it
            why.update((id(segment), UNSURE) for segment in stretch)
    return why


def _looping(heard: Sequence[_Heard]) -> dict[int, str]:
    """The segments (by identity) that loops have hold of. A loop may go on over segments: all words are looked at as one row."""
    owners = [each for each in heard for _ in each.segment.words]
    words = [word for each in heard for word in each.segment.words]
    why: dict[int, str] = {}
    for repeat in repeats([word.text for word in words]):
        held = _held(repeat, owners)
        reason = _why_loop(repeat, [words[index] for index in repeat.words], held)
        if reason is not None:
            why.update({id(each.segment): reason for each in held})
    return why


def _held(repeat: Repeat, owners: Sequence[_Heard]) -> list[_Heard]:
    """The segments most of whose words are of the repeat."""
    held = []
    for _, group in itertools.groupby(repeat.words, key=lambda index: id(owners[index])):
        indices = list(group)
        owner = owners[indices[0]]
        if 2 * len(indices) > len(owner.segment.words):
            held.append(owner)
    return held


def _why_loop(repeat: Repeat, words: Sequence[Word], held: Sequence[_Heard]) -> str | None:
    if repeat.times < _SEVERAL or not held:
        return None
    if len(words) > _FASTEST * (max(word.end for word in words) - words[0].start):
        return RATE
    if repeat.times >= _VERY_MANY and len(words) >= _LONG_LOOP:
        return LOOP
    return DOUBTFUL_LOOP if all(each.is_doubtful for each in held) else None


def _heard(index: int, segments: Sequence[Segment], near_speech: Sequence[Span]) -> _Heard | None:
    segment = segments[index]
    if segment.evidence is None or not segment.words:
        return None
    before = segment.start - segments[index - 1].end if index else _SILENCE_AROUND
    after = segments[index + 1].start - segment.end if index + 1 < len(segments) else _SILENCE_AROUND
    return _Heard(segment, segment.evidence, _covered(segment.words, near_speech), min(before, after) >= _SILENCE_AROUND)


def _covered(words: Iterable[Word], near_speech: Sequence[Span]) -> float:
    """The share of the words' time that lies in speech, or so near that it may be the words' times that are wrong."""
    total = shared = 0.0
    for word in words:
        total += word.end - word.start
        shared += sum(min(word.end, span.end) - max(word.start, span.start) for span in touching(near_speech, word.start, word.end))
    return shared / total if total > 0 else 1.0


def _widened(speech: Iterable[Span]) -> Iterator[Span]:
    """The spans with the error of word times on both sides, joined where they then meet."""
    start = end = None
    for span in speech:
        if end is not None and start is not None and span.start - _TIME_ERROR <= end:
            end = max(end, span.end + _TIME_ERROR)
            continue
        if end is not None and start is not None:
            yield Span(start, end)
        start, end = span.start - _TIME_ERROR, span.end + _TIME_ERROR
    if end is not None and start is not None:
        yield Span(start, end)
