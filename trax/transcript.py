"""The vocabulary that all rooms speak: frozen, pure values. Times are seconds from the start of the recording."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

#: A turn less confident than this is doubtful: see docs/accuracy.md for how much of what is wrong such turns hold.
DOUBTFUL_TURN = 0.4

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

    @property
    def is_doubtful(self) -> bool:
        """Whether somebody else may have spoken."""
        return self.confidence < DOUBTFUL_TURN


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
class VoicePrint:
    """What an enrolled person's voice sounds like to one embedding model: a vector of unit length."""

    name: str
    vector: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Likeness:
    """Whom a speaker sounds like: `similarity` is a cosine, -1 to 1; one that is not accepted is a suggestion."""

    name: str
    similarity: float
    is_accepted: bool


@dataclass(frozen=True, slots=True)
class Diarization:
    """Who spoke when: the artefact `turns`. Turns are in order of start and labelled SPEAKER_00, SPEAKER_01, … in order of first speech.

    Where turns overlap, `exclusive` is the same with one speaker at a time, the one heard most clearly; it is None where they never do.
    `warnings` are sentences on what a reader should not rely on. `likenesses`, the artefact `names`, say by label whom a speaker sounds
    like, of those who were enrolled.
    """

    turns: tuple[Turn, ...]
    exclusive: tuple[Turn, ...] | None = None
    warnings: tuple[str, ...] = ()
    likenesses: Mapping[str, Likeness] = field(default_factory=dict)


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
    """One voice of the recording: seconds of talk (from the turns), number of words, and the mean confidence of its turns by duration.

    `label` is the name of an accepted `likeness`.
    """

    label: str
    talk: float
    words: int
    confidence: float
    likeness: Likeness | None = None


@dataclass(frozen=True, slots=True)
class Transcript:
    """Who said what and when: everything the formats render.

    `segments` hold what is to be read. How the words were come by: `heard` are the engines' segments that have evidence, `quarantined` what
    was left out as invented, `refinements` what was heard a second time.
    Two runs over the same bytes, settings and models are equal but for `job` and `run`.
    `accuracy_estimate` is 0 to 1, or None where there are no words. Words whose score is below `confidence_threshold` are doubtful.
    `speaker_confidence` is the mean confidence of the turns by duration, or None where there are none.
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
    heard: tuple[Segment, ...] = ()
    quarantined: tuple[Quarantined, ...] = ()
    refinements: tuple[Refinement, ...] = ()
    speaker_confidence: float | None = None
    run: Mapping[str, Any] = field(default_factory=dict)


#: What every recording becomes, the artefact `pcm`: mono, this many samples a second, each signed 16-bit little-endian.
SAMPLE_RATE = 16_000
SAMPLE_BYTES = 2
