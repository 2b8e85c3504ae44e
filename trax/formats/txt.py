"""Plain text (.txt) for reading: one paragraph a turn, with its time and its speaker."""

from __future__ import annotations

from collections.abc import Iterator

from trax.formats.clock import clock
from trax.formats.lines import SENTENCE_ENDS, ends_with, one_line, separator, text_of
from trax.transcript import Segment, Transcript

#: A silence after which a new paragraph begins, and a length after which the next sentence begins one, in seconds.
LONG_PAUSE = 3.0
LONG_PARAGRAPH = 60.0


def render(transcript: Transcript) -> str:
    """The transcript as paragraphs; warnings come first."""
    notes = [f"Note: {one_line(warning)}\n" for warning in transcript.warnings]
    paragraphs = [_text(paragraph, transcript.language) for paragraph in _paragraphs(transcript)]
    return "\n".join([*notes, *paragraphs])


def _text(paragraph: list[Segment], language: str) -> str:
    first = paragraph[0]
    who = f"{one_line(first.speaker)}: " if first.speaker else ""
    text = separator(language).join(filter(None, (text_of(segment, language) for segment in paragraph)))
    return f"[{clock(first.start)}] {who}{text}\n"


def _paragraphs(transcript: Transcript) -> Iterator[list[Segment]]:
    paragraph: list[Segment] = []
    for segment in transcript.segments:
        if paragraph and _begins_another(paragraph, segment, transcript.language):
            yield paragraph
            paragraph = []
        paragraph.append(segment)
    if paragraph:
        yield paragraph


def _begins_another(paragraph: list[Segment], segment: Segment, language: str) -> bool:
    first, last = paragraph[0], paragraph[-1]
    if segment.speaker != last.speaker or segment.start - last.end >= LONG_PAUSE:
        return True
    length = last.end - first.start
    if length >= 2 * LONG_PARAGRAPH:  # a recogniser without punctuation never ends a sentence
        return True
    return length >= LONG_PARAGRAPH and ends_with(text_of(last, language), SENTENCE_ENDS)
