"""The artefacts that go between the processes as JSON-ready values, and back.

The readers are strict: what they are given comes from a child process.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from trax.transcript import Diarization, Evidence, Likeness, Quarantined, Recognition, Refinement, Segment, Span, Turn, VoicePrint, Word


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
    exclusive = diarization.exclusive
    return {
        "turns": _turns_to_plain(diarization.turns),
        "exclusive": None if exclusive is None else _turns_to_plain(exclusive),
        "warnings": list(diarization.warnings),
    }


def diarization_from_plain(plain: Mapping[str, Any]) -> Diarization:
    """The reverse of `diarization_to_plain`. Raises KeyError, TypeError or ValueError when the shape is wrong."""
    exclusive = plain.get("exclusive")
    return Diarization(
        turns=_turns_from_plain(plain["turns"]),
        exclusive=None if exclusive is None else _turns_from_plain(exclusive),
        warnings=tuple(str(warning) for warning in plain.get("warnings", ())),
    )


def _turns_to_plain(turns: Iterable[Turn]) -> list[list[Any]]:
    return [[turn.start, turn.end, turn.speaker, turn.confidence] for turn in turns]


def _turns_from_plain(plain: Iterable[Sequence[Any]]) -> tuple[Turn, ...]:
    return tuple(Turn(float(start), float(end), str(speaker), float(confidence)) for start, end, speaker, confidence in plain)
def likenesses_to_plain(found: Mapping[str, Likeness]) -> dict[str, list[Any]]:
    """The artefact `names` as JSON-ready values."""
    return {label: [likeness.name, likeness.similarity, likeness.is_accepted] for label, likeness in found.items()}


def likenesses_from_plain(plain: Mapping[str, Sequence[Any]]) -> dict[str, Likeness]:
    """The reverse of `likenesses_to_plain`. Raises TypeError or ValueError when the shape is wrong."""
    return {
        str(label): Likeness(str(name), float(similarity), bool(is_accepted)) for label, (name, similarity, is_accepted) in plain.items()
    }


def voice_print_to_plain(voice: VoicePrint) -> list[Any]:
    """A voice as JSON-ready values."""
    return [voice.name, list(voice.vector)]


def voice_print_from_plain(plain: Sequence[Any]) -> VoicePrint:
    """The reverse of `voice_print_to_plain`."""
    name, vector = plain
    return VoicePrint(str(name), tuple(map(float, vector)))


def spans_to_plain(spans: Sequence[Span]) -> list[list[float]]:
    """Spans (as in the artefact `vad`) as JSON-ready pairs of seconds."""
    return [[span.start, span.end] for span in spans]


def spans_from_plain(plain: Iterable[Sequence[float]]) -> tuple[Span, ...]:
    """The reverse of `spans_to_plain`."""
    return tuple(Span(float(start), float(end)) for start, end in plain)
