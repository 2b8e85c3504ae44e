"""When a window is decoded again at a higher temperature, and which of its decodings is kept. Pure.

The thresholds are those of openai/whisper (`transcribe.py`): a text that compresses more than 2.4 times is a loop, an average
log-probability below -1 is a guess, unless nobody speaks. OpenAI tries up to five further temperatures on every such window, which on a
recording of noise takes six times as long; here it is two, and all of them together hear no more than a quarter of the recording again (but
always one window's worth). The bound is in seconds of sound, not of the clock, so that the words do not depend on how busy the machine is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trax.asr.evidence import GUESS_LOG_PROBABILITY, LOOP_COMPRESSION, NOBODY_SPEAKS, average_log_probability, compression_ratio
from trax.asr.tokens import Token

#: What is tried after 0, in this order. From 0.5 on, whisper.cpp leaves the vocabulary prompt out.
TEMPERATURES = (0.4, 0.8)

_SHARE = 0.25  # of the recording's speech


@dataclass(frozen=True, slots=True)
class Quality:
    """What a decoding is judged by: compression ratio, average log-probability, and the probability that nobody speaks."""

    compression_ratio: float
    average_log_probability: float
    no_speech: float

    @classmethod
    def of(cls, tokens: Sequence[Token], no_speech: float) -> Quality:
        """The quality of all tokens of a window."""
        text = b"".join(token.data for token in tokens).strip()
        return cls(compression_ratio(text), average_log_probability([token.probability for token in tokens]), no_speech)

    @property
    def is_loop(self) -> bool:
        """Whether it says the same again and again."""
        return self.compression_ratio > LOOP_COMPRESSION

    @property
    def is_good(self) -> bool:
        """Whether nothing is gained by decoding again."""
        return not self.is_loop and (self.average_log_probability >= GUESS_LOG_PROBABILITY or self.no_speech > NOBODY_SPEAKS)

    @property
    def rank(self) -> tuple[bool, bool, float]:
        """Orders decodings of one window: the greater the better."""
        return (self.is_good, not self.is_loop, self.average_log_probability)


class Allowance:
    """How many seconds of sound may be decoded again, of a recording whose speech and whose longest window last so long (seconds)."""

    def __init__(self, speech: float, longest: float) -> None:
        self._left = max(_SHARE * speech, len(TEMPERATURES) * longest)

    def take(self, seconds: float) -> bool:
        """Whether so much may be decoded once more; if so, it is taken off."""
        if seconds > self._left:
            return False
        self._left -= seconds
        return True
