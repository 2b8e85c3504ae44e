"""The vocabulary that all rooms speak: frozen, pure values. Times are seconds from the start of the recording."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
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
class Segment:
    """Words that belong together: an utterance from the engine, or a readable subtitle after the merge."""

    start: float
    end: float
    words: tuple[Word, ...]
    speaker: str | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """One speaker talking, from diarization. `confidence` is 0 to 1."""

    start: float
    end: float
    speaker: str
    confidence: float = 1.0


@dataclass(frozen=True, slots=True)
class Recognition:
    """What an engine heard: the artefact `fast`."""

    language: str
    segments: tuple[Segment, ...]


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
    """The artefact `fast` as JSON-ready values."""
    return {
        "language": recognition.language,
        "segments": [
            {
                "start": segment.start,
                "end": segment.end,
                "words": [[word.text, word.start, word.end, word.score] for word in segment.words],
            }
            for segment in recognition.segments
        ],
    }


def recognition_from_plain(plain: Mapping[str, Any]) -> Recognition:
    """The reverse of `recognition_to_plain`. Raises KeyError, TypeError or ValueError when the shape is wrong."""
    return Recognition(
        language=str(plain["language"]),
        segments=tuple(
            Segment(
                start=float(segment["start"]),
                end=float(segment["end"]),
                words=tuple(
                    Word(str(text), float(start), float(end), float(score)) for text, start, end, score in segment["words"]
                ),
            )
            for segment in plain["segments"]
        ),
    )


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
