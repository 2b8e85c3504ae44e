"""WebVTT (.vtt): cues with the speaker in a voice tag. Source: W3C WebVTT, sections 4 (syntax) and 6.4 (cue text)."""

from __future__ import annotations

from trax.formats.clock import timestamp
from trax.formats.lines import one_line, subtitle_lines
from trax.transcript import Segment, Transcript

_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def render(transcript: Transcript) -> str:
    """The transcript as WebVTT; the warnings are notes at its head."""
    notes = [f"NOTE {one_line(warning).replace('-->', '→')}\n" for warning in transcript.warnings]
    cues = [_cue(segment, lines) for segment in transcript.segments if (lines := subtitle_lines(segment, transcript.language))]
    return "\n".join(["WEBVTT\n", *notes, *cues])


def _cue(segment: Segment, lines: list[str]) -> str:
    times = f"{timestamp(segment.start, '.')} --> {timestamp(segment.end, '.')}"
    voice = f"<v {one_line(segment.speaker).translate(_ESCAPES)}>" if segment.speaker else ""
    text = "\n".join(lines).translate(_ESCAPES)
    return f"{times}\n{voice}{text}\n"
