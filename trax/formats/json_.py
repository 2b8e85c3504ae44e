"""JSON (.json): everything Trax knows of a recording, a superset of what WhisperX writes. Described in docs/output.md."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from trax import __version__
from trax.formats.lines import one_line, text_of
from trax.text import is_visible
from trax.transcript import Evidence, Quarantined, Refinement, Segment, Speaker, Transcript, Word

#: The version of the shape of this document and of `<name>.error.json`: the second number goes up when fields are added,
#: the first when any is changed or removed.
SCHEMA_VERSION = "1.2"

ESTIMATE_NOTE = (
    "An estimate, not a measurement: the mean of the recogniser's own word scores, 0 to 1. "
    "Recognisers are often too sure of themselves; only a comparison with a transcript made by hand tells the accuracy."
)


def render(transcript: Transcript) -> str:
    """The transcript as JSON, without the checksums of other outputs."""
    return b"".join(pieces(transcript, {})).decode()


def pieces(transcript: Transcript, checksums: Mapping[str, str]) -> Iterator[bytes]:
    """The transcript as JSON in UTF-8, piece by piece; two runs over the same bytes, settings and models differ only in `run`.

    As values or as one text, the JSON would take several times the memory of the transcript.

    Args:
        transcript: What to write.
        checksums: The SHA-256, in hex, of the outputs beside this one, by format: it is written last, so they are known.
    """
    return laid_out(_document(transcript, checksums))


def _document(transcript: Transcript, checksums: Mapping[str, str]) -> dict[str, Any]:
    threshold = transcript.confidence_threshold
    words = [word for segment in transcript.segments for word in segment.words]
    return {
        "schema_version": SCHEMA_VERSION,
        "trax_version": __version__,
        "media": dataclasses.asdict(transcript.media) | {"name": encodable(transcript.media.name)},
        "language": transcript.language,
        "accuracy_estimate": transcript.accuracy_estimate,
        "accuracy_estimate_note": ESTIMATE_NOTE,
        "accuracy_threshold": transcript.accuracy_threshold,
        "needs_review": transcript.needs_review,
        "confidence_threshold": threshold,
        "word_count": len(words),
        "doubtful_word_count": sum(word.score < threshold for word in words),
        "warnings": list(transcript.warnings),
        "speaker_confidence": transcript.speaker_confidence,
        "speakers": [_voice(speaker) for speaker in transcript.speakers],
        "models": {role: dict(model) for role, model in transcript.models.items()},
        "settings_hash": transcript.settings_hash,
        "checksums": dict(checksums),
        "run": {"job": transcript.job, **transcript.run},
        "segments": (_segment(segment, transcript.language, threshold) for segment in transcript.segments),
        "word_segments": (_word(word, threshold) for word in words),
        "turns": (dataclasses.asdict(turn) | ({"doubtful": True} if turn.is_doubtful else {}) for turn in transcript.turns),
        "evidence": (_heard(segment, transcript.language) | _figures(segment.evidence) for segment in transcript.heard),
        "quarantined": (_quarantined(each, transcript.language) for each in transcript.quarantined),
        "refinements": (_refinement(each, transcript) for each in transcript.refinements),
    }


def _voice(speaker: Speaker) -> dict[str, Any]:
    plain = {"label": speaker.label, "talk_seconds": speaker.talk, "words": speaker.words, "confidence": speaker.confidence}
    if (likeness := speaker.likeness) is None:
        return plain
    return plain | {"profile": {"name": likeness.name, "similarity": likeness.similarity, "accepted": likeness.is_accepted}}


def _segment(segment: Segment, language: str, threshold: float) -> dict[str, Any]:
    scores = [word.score for word in segment.words]
    plain = {
        "start": segment.start,
        "end": segment.end,
        "text": text_of(segment, language),
        "confidence": round(sum(scores) / len(scores), 4) if scores else None,
    }
    return plain | _speaker(segment.speaker) | {"words": [_word(word, threshold) for word in segment.words]}


def _word(word: Word, threshold: float) -> dict[str, Any]:
    plain = {"word": one_line(word.text), "start": word.start, "end": word.end, "score": word.score}
    return plain | _speaker(word.speaker) | ({"doubtful": True} if word.score < threshold else {})


def _heard(segment: Segment, language: str) -> dict[str, Any]:
    return {"start": segment.start, "end": segment.end, "text": text_of(segment, language)}


def _figures(evidence: Evidence | None) -> dict[str, Any]:
    return {} if evidence is None else dataclasses.asdict(evidence)


def _quarantined(quarantined: Quarantined, language: str) -> dict[str, Any]:
    segment = quarantined.segment
    figures = None if segment.evidence is None else _figures(segment.evidence)
    return _heard(segment, language) | {"why": one_line(quarantined.why), "evidence": figures}


def _refinement(refinement: Refinement, transcript: Transcript) -> dict[str, Any]:
    start, end = refinement.span.start, refinement.span.end
    before, after = (text_of(Segment(start, end, words), transcript.language) for words in (refinement.before, refinement.after))
    model = transcript.models["refine"]["name"]
    said = {"start": start, "end": end, "before": before, "after": after}
    return said | {"replaced": refinement.is_taken, "model": model, "why": one_line(refinement.why)}


def _speaker(label: str | None) -> dict[str, Any]:
    # as in WhisperX, whose readers ask `"speaker" in segment`: no speaker, no field
    return {} if label is None else {"speaker": label}


def encodable(text: str) -> str:
    """The text with bytes of a name that were no UTF-8 shown as escapes, as no JSON reader could take them."""
    shown = re.sub("[\udc80-\udcff]", lambda byte: f"\\x{ord(byte[0]) - 0xDC00:02x}", text)
    return shown.encode("utf-8", "replace").decode()


def laid_out(document: Mapping[str, object]) -> Iterator[bytes]:
    """JSON in UTF-8 with a line for each field and for each item of a list: short enough to ship, and fit to read and to compare.

    The items of a field may come from an iterator. Raises ValueError when a number is not finite.
    """
    for text in _texts(document):
        yield text.encode("utf-8", "replace")  # half a surrogate pair cannot be written


def _texts(document: Mapping[str, object]) -> Iterator[str]:
    yield "{"
    before = "\n"
    for key, value in document.items():
        yield f"{before}  {_compact(key)}: "
        yield from _items(value) if isinstance(value, list | Iterator) else (_compact(value),)
        before = ",\n"
    yield "\n}\n"


def _items(values: Iterable[object]) -> Iterator[str]:
    before = "["
    for value in values:
        yield f"{before}\n    {_compact(value)}"
        before = ","
    yield "[]" if before == "[" else "\n  ]"


def _compact(value: object) -> str:
    said = json.dumps(value, ensure_ascii=False, allow_nan=False)
    # A name may hold what turns the writing round or hides: a reader of JSON gets it, whoever looks at the file sees an escape.
    return said if said.isprintable() else "".join(each if is_visible(each) else json.dumps(each)[1:-1] for each in said)
