"""What tells how far a Whisper segment can be trusted. Pure.

Each figure is computed as somebody before us does, so that the thresholds that are known for it hold:

- average log-probability, no-speech probability, compression ratio: openai/whisper, `decoding.py` and `utils.py`; here of the text tokens
  alone, without time stamps and the end mark;
- entropy: whisper.cpp, `whisper_sequence_score`: of how often each token comes among the last 32. Low where few tokens come again and
  again; at most ln 32 = 3.47;
- anomaly: faster-whisper, `transcribe.py`, `word_anomaly_score`: words that are improbable, very short or very long;
- repeats: our own count, after n-gram loop detection as it is used against repetition in text generation.
"""

from __future__ import annotations

import math
import zlib
from collections import Counter
from collections.abc import Hashable, Sequence

from trax.asr.repeats import repeats
from trax.asr.tokens import Token
from trax.transcript import Evidence, Word

#: openai/whisper's thresholds (`transcribe.py`; Radford et al. 2022, section 4.5): a text that compresses more is a loop, a lower average
#: log-probability a guess; and with a higher no-speech probability, probably, nobody speaks.
LOOP_COMPRESSION, GUESS_LOG_PROBABILITY, NOBODY_SPEAKS = 2.4, -1.0, 0.6

_LEAST_PROBABILITY = 1e-10
_ENTROPY_TOKENS = 32
_ANOMALY_WORDS = 8
_IMPROBABLE = 0.15
_SHORT, _SHORT_WEIGHT = 0.133, 15.0  # seconds; a second
_LONG = 2.0  # seconds


def evidence_of(tokens: Sequence[Token], words: Sequence[Word], no_speech: float) -> Evidence:
    """The evidence of one segment: its text tokens, their words scored by them (see `words_of`), and the window's no-speech probability."""
    return Evidence(
        average_log_probability=average_log_probability([token.probability for token in tokens]),
        compression_ratio=compression_ratio(b"".join(token.data for token in tokens).strip()),
        entropy=entropy([token.data for token in tokens[-_ENTROPY_TOKENS:]]),
        no_speech=min(1.0, max(0.0, no_speech)),
        anomaly=sum(duration_anomaly(word) + (word.score < _IMPROBABLE) for word in words[:_ANOMALY_WORDS]),
        repeats=max((each.times for each in repeats([word.text for word in words])), default=1),
    )


def average_log_probability(probabilities: Sequence[float]) -> float:
    """The mean of the natural logarithms, at most 0; 0 of nothing."""
    logarithms = [math.log(min(1.0, max(_LEAST_PROBABILITY, each))) for each in probabilities]
    return math.fsum(logarithms) / len(logarithms) if logarithms else 0.0


def compression_ratio(text: bytes) -> float:
    """How many times smaller zlib makes it: above 2.4, Whisper takes it for a loop. 0 of nothing."""
    return len(text) / len(zlib.compress(text))


def entropy(signs: Sequence[Hashable]) -> float:
    """Of the distribution of what is counted, in nats; 0 where all are the same."""
    shares = [count / len(signs) for count in Counter(signs).values()]
    return max(0.0, -math.fsum(share * math.log(share) for share in shares))


def duration_anomaly(word: Word) -> float:
    """How odd it is that a word lasts so short or so long; 0 between 133 ms and 2 s."""
    duration = word.end - word.start
    return max(0.0, _SHORT - duration) * _SHORT_WEIGHT + max(0.0, duration - _LONG)


def is_anomalous(evidence: Evidence, words: int) -> bool:
    """Whether a segment of so many words is odd as a whole (faster-whisper's `is_segment_anomaly`)."""
    return words > 0 and (evidence.anomaly >= 3 or evidence.anomaly + 0.01 >= min(words, _ANOMALY_WORDS))  # noqa: PLR2004 - the source's own
