"""SubRip (.srt): numbered cues, the speaker's name before the text."""

from __future__ import annotations

from trax.formats.clock import timestamp
from trax.formats.lines import subtitle_lines
from trax.transcript import Segment, Transcript

# SRT has no escapes, and players take <…>, {\…} and \N for formatting: what would be eaten is shown by its look-alike.
_LOOK_ALIKES = str.maketrans({"<": "‹", ">": "›", "{": "(", "}": ")", "\\": "∖"})  # noqa: RUF001 - on purpose


def render(transcript: Transcript) -> str:
    """The transcript as SRT; without speech it is empty, for SRT knows no comments."""
    cues = ((segment, subtitle_lines(segment, transcript.language, segment.speaker)) for segment in transcript.segments)
    shown = [(segment, lines) for segment, lines in cues if lines]
    return "\n".join(_cue(number, segment, lines) for number, (segment, lines) in enumerate(shown, start=1))


def _cue(number: int, segment: Segment, lines: list[str]) -> str:
    times = f"{timestamp(segment.start, ',')} --> {timestamp(segment.end, ',')}"
    text = "\n".join(lines).translate(_LOOK_ALIKES)
    return f"{number}\n{times}\n{text}\n"
