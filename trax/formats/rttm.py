"""RTTM (.rttm): who spoke when. Source: NIST, Rich Transcription 2009 evaluation plan, appendix A: ten fields a line."""

from __future__ import annotations

from trax.formats.clock import field, file_id
from trax.transcript import Transcript


def render(transcript: Transcript) -> str:
    """The turns as SPEAKER lines: type, file, channel, start, duration, two empty, name, confidence, one empty."""
    recording = file_id(transcript.media.name)
    return "".join(
        f"SPEAKER {recording} 1 {turn.start:.3f} {turn.end - turn.start:.3f} <NA> <NA> "
        f"{field(turn.speaker, 'SPEAKER')} {turn.confidence:.3f} <NA>\n"
        for turn in transcript.turns
    )
