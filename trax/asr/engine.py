"""What every speech recognition engine does, and what they share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from trax.asr.spans import parted
from trax.audio.pcm import Pcm
from trax.transcript import Recognition, Segment, Span, Word

_UTTERANCE_PAUSE = 0.7  # seconds


@dataclass(frozen=True, slots=True)
class Options:
    """What is asked of an engine.

    `language` is an ISO 639 code or "auto"; `vocabulary` are words to expect, for engines that can be told; `threads` bounds the processor
    cores used and never changes the result.
    """

    language: str
    vocabulary: tuple[str, ...] = ()
    threads: int = 1


class Engine(Protocol):
    """A loaded model that turns speech into words."""

    #: Whether the scores of its words are probabilities that were measured, not only what the model thinks of itself.
    is_calibrated: bool

    def transcribe(
        self,
        pcm: Pcm,
        speech: Sequence[Span],
        options: Options,
        on_progress: Callable[[float], None],
        is_cancelled: Callable[[], bool],
    ) -> Recognition:
        """The words in `speech` (spans of the recording, in order), with the recording's times.

        `on_progress` is given fractions of the speech, 0 to 1. Whisper's segments have evidence, and those it invented are quarantined.

        Raises:
            Cancelled: `is_cancelled` turned true.
            ModelError: The model cannot do what is asked.
        """
        ...


def utterances(words: Iterable[Word]) -> tuple[Segment, ...]:
    """Words (in order) as segments, a new one after every pause of 0.7 s."""
    return tuple(Segment(group[0].start, group[-1].end, tuple(group)) for group in parted(words, _UTTERANCE_PAUSE))
