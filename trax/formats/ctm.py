"""CTM (.ctm): the words with their times. Source: NIST SCTK, sclite input formats: file, channel, start, duration, word, confidence."""

from __future__ import annotations

from trax.formats.clock import file_id
from trax.formats.lines import one_line
from trax.transcript import Transcript


def render(transcript: Transcript) -> str:
    """The words, one a line, in order of time; white space inside a word becomes `_`, for fields are separated by it."""
    recording = file_id(transcript.media.name)
    return "".join(
        f"{recording} 1 {word.start:.3f} {word.end - word.start:.3f} {text.replace(' ', '_')} {word.score:.3f}\n"
        for segment in transcript.segments
        for word in segment.words
        if (text := one_line(word.text))
    )
