"""CTM (.ctm): the words with their times. Source: NIST SCTK, sclite input formats: file, channel, start, duration, word, confidence."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from trax.formats.clock import field, file_id
from trax.formats.lines import one_line
from trax.transcript import Segment, Transcript


def render(transcript: Transcript) -> str:
    """The words, one a line, in order of time; white space inside a word becomes `_`, for fields are separated by it.

    The format has no field for the speaker. Where somebody is known by name, a comment (`;;`) says before their words whose they are.
    """
    has_names = any(speaker.likeness is not None and speaker.likeness.is_accepted for speaker in transcript.speakers)
    return "".join(_lines(transcript, has_names=has_names))


def _lines(transcript: Transcript, *, has_names: bool) -> Iterator[str]:
    recording = file_id(transcript.media.name)
    for speaker, segments in groupby(transcript.segments, key=lambda segment: segment.speaker):
        if has_names:
            yield f";; {field(speaker or '', 'nobody')}\n"
        yield from (line for segment in segments for line in _words(segment, recording))


def _words(segment: Segment, recording: str) -> Iterator[str]:
    for word in segment.words:
        if text := one_line(word.text):
            yield f"{recording} 1 {word.start:.3f} {word.end - word.start:.3f} {text.replace(' ', '_')} {word.score:.3f}\n"
