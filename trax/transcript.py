"""The vocabulary that all rooms speak: frozen, pure values. Times are seconds from the start of the recording."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

#: Languages whose words are written without spaces between them (ISO 639-1).
UNSPACED_LANGUAGES = frozenset({"zh", "ja", "th", "lo", "my", "km", "yue", "bo"})


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of time, `start` <= `end`, in seconds."""

    start: float
    end: float

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Word:
    """One word as heard. `score` is the engine's probability that it is right, 0 to 1; `speaker` is set by the merge."""

    text: str
    start: float
    end: float
    score: float
    speaker: str | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """What tells how far an engine's segment can be trusted; `asr/evidence.py` says how each is computed, and after whom.

    `average_log_probability` (natural, at most 0) and `entropy` (nats) are of its tokens, `compression_ratio` of its text, `no_speech` is
    the engine's probability (0 to 1) that nobody speaks, `anomaly` adds up what is odd about its words, `repeats` is how many times in a
    row its most repeated run of words comes (1: nothing is repeated).
    """

    average_log_probability: float
    compression_ratio: float
    entropy: float
    no_speech: float
    anomaly: float
    repeats: int


@dataclass(frozen=True, slots=True)
class Segment:
    """Words that belong together: an utterance from the engine, or a readable subtitle after the merge (which has no evidence)."""

    start: float
    end: float
    words: tuple[Word, ...]
    speaker: str | None = None
    evidence: Evidence | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """One speaker talking, from diarization. `confidence` is 0 to 1."""

    start: float
    end: float
    speaker: str
    confidence: float = 1.0


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A segment that is taken for invented, and why: kept to be looked at, never part of the text."""

    segment: Segment
    why: str


@dataclass(frozen=True, slots=True)
class Refinement:
    """A span in doubt that was heard a second time: the words of the first pass in it, those of the second, which are taken, and why."""

    span: Span
    before: tuple[Word, ...]
    after: tuple[Word, ...]
    is_taken: bool
    why: str


@dataclass(frozen=True, slots=True)
class Recognition:
    """What was heard: the artefact `fast`, and, with what the second pass changed, `refined`."""

    language: str
    segments: tuple[Segment, ...]
    quarantined: tuple[Quarantined, ...] = ()
    refinements: tuple[Refinement, ...] = ()


@dataclass(frozen=True, slots=True)
class Diarization:
    """Who spoke when: the artefact `turns`. Turns are in order of start and labelled SPEAKER_00, SPEAKER_01, … in order of first speech."""

    turns: tuple[Turn, ...]


@dataclass(frozen=True, slots=True)
class Media:
    """What was dropped. `sha256` is of the bytes; `duration` in seconds; `sample_rate` in Hz and `channels` as in the source."""

    name: str
    sha256: str
    size: int
    duration: float
    container: str
    codec: str
    sample_rate: int
    channels: int


@dataclass(frozen=True, slots=True)
class Speaker:
    """One voice of the recording: seconds of talk (from the turns) and number of words."""

    label: str
    talk: float
    words: int


@dataclass(frozen=True, slots=True)
class Transcript:
    """Who said what and when: everything the formats render.

    Two runs over the same bytes, settings and models are equal but for `job` and `run`.
    `accuracy_estimate` is 0 to 1, or None where there are no words. Words whose score is below `confidence_threshold` are doubtful.
    """

    job: str
    media: Media
    language: str
    segments: tuple[Segment, ...]
    turns: tuple[Turn, ...]
    speakers: tuple[Speaker, ...]
    models: Mapping[str, Mapping[str, Any]]
    settings_hash: str
    accuracy_estimate: float | None
    needs_review: bool
    accuracy_threshold: float = 0.0
    confidence_threshold: float = 0.0
    warnings: tuple[str, ...] = ()
    run: Mapping[str, Any] = field(default_factory=dict)


#: What every recording becomes, the artefact `pcm`: mono, this many samples a second, each signed 16-bit little-endian.
SAMPLE_RATE = 16_000
SAMPLE_BYTES = 2

# The other artefacts between the processes are JSON. The readers are strict: what they are given comes from a child process.


def recognition_to_plain(recognition: Recognition) -> dict[str, Any]:
    """The artefacts `fast` and `refined` as JSON-ready values."""
    return {
        "language": recognition.language,
        "segments": [_segment_to_plain(segment) for segment in recognition.segments],
        "quarantined": [[_segment_to_plain(each.segment), each.why] for each in recognition.quarantined],
        "refinements": [
            [each.span.start, each.span.end, _words_to_plain(each.before), _words_to_plain(each.after), each.is_taken, each.why]
            for each in recognition.refinements
        ],
    }


def recognition_from_plain(plain: Mapping[str, Any]) -> Recognition:
    """The reverse of `recognition_to_plain`. Raises KeyError, TypeError or ValueError when the shape is wrong."""
    return Recognition(
        language=str(plain["language"]),
        segments=tuple(_segment_from_plain(segment) for segment in plain["segments"]),
        quarantined=tuple(Quarantined(_segment_from_plain(segment), str(why)) for segment, why in plain["quarantined"]),
        refinements=tuple(
            Refinement(Span(float(start), float(end)), _words_from_plain(before), _words_from_plain(after), bool(is_taken), str(why))
            for start, end, before, after, is_taken, why in plain["refinements"]
        ),
    )


def _segment_to_plain(segment: Segment) -> dict[str, Any]:
    return {
        "start": segment.start,
        "end": segment.end,
        "words": _words_to_plain(segment.words),
        "evidence": None if segment.evidence is None else asdict(segment.evidence),
    }


def _segment_from_plain(plain: Mapping[str, Any]) -> Segment:
    return Segment(
        start=float(plain["start"]),
        end=float(plain["end"]),
        words=_words_from_plain(plain["words"]),
        evidence=None if plain["evidence"] is None else _evidence_from_plain(plain["evidence"]),
    )


def _evidence_from_plain(plain: Mapping[str, Any]) -> Evidence:
    return Evidence(
        average_log_probability=float(plain["average_log_probability"]),
        compression_ratio=float(plain["compression_ratio"]),
        entropy=float(plain["entropy"]),
        no_speech=float(plain["no_speech"]),
        anomaly=float(plain["anomaly"]),
        repeats=int(plain["repeats"]),
    )


def _words_to_plain(words: Iterable[Word]) -> list[list[Any]]:
    return [[word.text, word.start, word.end, word.score] for word in words]


def _words_from_plain(plain: Iterable[Sequence[Any]]) -> tuple[Word, ...]:
    return tuple(Word(str(text), float(start), float(end), float(score)) for text, start, end, score in plain)


def diarization_to_plain(diarization: Diarization) -> dict[str, Any]:
    """The artefact `turns` as JSON-ready values."""
    return {"turns": [[turn.start, turn.end, turn.speaker, turn.confidence] for turn in diarization.turns]}


def diarization_from_plain(plain: Mapping[str, Any]) -> Diarization:
    """The reverse of `diarization_to_plain`. Raises KeyError, TypeError or ValueError when the shape is wrong."""
    return Diarization(
        turns=tuple(
            Turn(float(start), float(end), str(speaker), float(confidence))
            for start, end, speaker, confidence in plain["turns"]
        )
    )


def spans_to_plain(spans: Sequence[Span]) -> list[list[float]]:
    """Spans (as in the artefact `vad`) as JSON-ready pairs of seconds."""
    return [[span.start, span.end] for span in spans]


def spans_from_plain(plain: Iterable[Sequence[float]]) -> tuple[Span, ...]:
    """The reverse of `spans_to_plain`."""
    return tuple(Span(float(start), float(end)) for start, end in plain)
