"""Transcripts to render, assembled as the daemon does."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from trax.config import Settings, job_settings, snapshot
from trax.pipeline.merge import assemble
from trax.transcript import (
    Diarization,
    Evidence,
    Media,
    Quarantined,
    Recognition,
    Refinement,
    Segment,
    Span,
    Transcript,
    Turn,
    Word,
)

Assemble = Callable[..., Transcript]

EVIDENCE = Evidence(-0.31, 1.21, 0.4, 0.02, 0.0, 1)
INVENTED = Quarantined(Segment(30.0, 42.0, (Word("Thanks for watching!", 30.0, 42.0, 0.4),), evidence=EVIDENCE), "text where nobody speaks")
HEARD_TWICE = Refinement(Span(7.5, 9.0), (Word("A", 8.0, 8.2, 0.3),), (Word("At", 8.0, 8.2, 0.9),), is_taken=True, why="more probable")

RUN = {"started": "2025-03-01T10:00:00Z", "finished": "2025-03-01T10:00:04Z", "seconds": {"transcribe": 2.5}}
MODELS = {
    "asr": {"name": "base.en-q8_0", "engine": "whisper", "sha256": "ab" * 32, "version": "1", "scope": "open", "settings": {}},
    "refine": {"name": "small.en-q8_0", "engine": "whisper", "sha256": "cd" * 32, "version": "1", "scope": "open", "settings": {}},
    "embedding": {"name": "ge2e", "engine": "ge2e", "sha256": None, "version": "0.1.4", "scope": "open", "settings": {"threshold": 0.35}},
}


@pytest.fixture(scope="session")
def assembled() -> Assemble:
    """Assemble a transcript from (text, start, end, score) words and turns."""

    def build(
        words: list[tuple[str, float, float, float]],
        turns: list[Turn] | None,
        *,
        name: str = "talk.mp3",
        language: str = "en",
        quarantined: tuple[Quarantined, ...] = (),
        refinements: tuple[Refinement, ...] = (),
    ) -> Transcript:
        said = tuple(Word(*word) for word in words)
        transcript = assemble(
            Recognition(
                language,
                (Segment(said[0].start, said[-1].end, said, evidence=EVIDENCE),) if said else (),
                quarantined,
                refinements,
            ),
            None if turns is None else Diarization(tuple(turns)),
            job="20250301-100000-abcd",
            media=Media(name, "cd" * 32, 123_456, 120.5, "mp3", "mp3float", 44_100, 2),
            models=MODELS,
            settings=job_settings(snapshot(Settings())),
            settings_hash="0123456789abcdef",
        )
        return dataclasses.replace(transcript, run=RUN)

    return build


@pytest.fixture
def conversation(assembled: Assemble) -> Transcript:
    """Two speakers; a long sentence, a short answer, a doubtful word."""
    text = "Did you find out when the museum opens on a Sunday morning, in the winter, and what it costs?"
    words = [(word, 1.0 + 0.3 * i, 1.28 + 0.3 * i, 0.95) for i, word in enumerate(text.split())]
    words += [("At", 8.0, 8.2, 0.9), ("ten.", 8.2, 8.6, 0.5)]
    return assembled(words, [Turn(0.9, 6.8, "SPEAKER_00", 0.91), Turn(7.9, 8.7, "SPEAKER_01", 0.8)])


@pytest.fixture
def refined(assembled: Assemble) -> Transcript:
    """A word that was heard a second time, and an invented sentence."""
    return assembled([("At", 8.0, 8.2, 0.9), ("ten.", 8.2, 8.6, 0.5)], None, quarantined=(INVENTED,), refinements=(HEARD_TWICE,))


@pytest.fixture
def evidence() -> Evidence:
    """What is known of every segment in these transcripts."""
    return EVIDENCE


@pytest.fixture
def silence(assembled: Assemble) -> Transcript:
    """Nobody spoke."""
    return assembled([], [])
