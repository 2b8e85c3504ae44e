"""From the tokens' probabilities to the probability that a word is right. Pure.

Logistic regression on a few features of the word and what is around it (Platt's scaling, with more than one feature): a model's own
probabilities are too sure of themselves in noise. The weights are fitted on words whose truth is known (benchmarks/calibration.py) and
stand in the model's settings as `calibration`. A model without them has its mean token probability passed on as it is, which is what every
other tool shows as confidence: better than nothing, and measured by nobody.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from trax.asr.evidence import duration_anomaly
from trax.asr.tokens import Token
from trax.errors import ModelError
from trax.transcript import Evidence, Word

_LEAST = 1e-3  # scores lie between this and 1 - this: nothing is certain
_LEAST_PROBABILITY = 1e-4
_LARGEST_WEIGHT = 100.0


@dataclass(frozen=True, slots=True)
class Features:
    """What a word's score is computed from. The first four grow with the word's probability, or do not depend on it.

    `mean` and `lowest` are of the word's tokens, `neighbours` of the less probable of the two words beside it in the segment (the word's
    own mean where there is none), all as log-odds; `segment` is the average log-probability of its segment; `oddness` is about how long it
    lasts.
    """

    mean: float
    lowest: float
    neighbours: float
    segment: float
    oddness: float

    def values(self) -> tuple[float, ...]:
        """In the order of the fields."""
        return (self.mean, self.lowest, self.neighbours, self.segment, self.oddness)


@dataclass(frozen=True, slots=True)
class Calibration:
    """The weight of each feature, and what is added. By default the mean token probability itself.

    The weights of probabilities are not negative, so that a more probable word never scores less.
    """

    intercept: float = 0.0
    mean: float = 1.0
    lowest: float = 0.0
    neighbours: float = 0.0
    segment: float = 0.0
    oddness: float = 0.0

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Calibration:
        """From a model's settings: its `calibration`, a number for every name above. Raises ModelError when it is not that."""
        plain = settings.get("calibration")
        if plain is None:
            return cls()
        names = [field.name for field in fields(cls)]
        if not isinstance(plain, Mapping) or set(plain) != set(names):
            raise ModelError(f"The model's setting `calibration` must have exactly {', '.join(names)}.")
        for name, value in plain.items():
            if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= _LARGEST_WEIGHT:
                raise ModelError(f"The model's setting `calibration.{name}` must be a number from -100 to 100, not {value!r}.")
            if value < 0 and name not in {"intercept", "oddness"}:
                raise ModelError(f"The model's setting `calibration.{name}` must not be negative: a probable word would score less.")
        return cls(**{name: float(value) for name, value in plain.items()})

    def to_plain(self) -> dict[str, float]:
        """As in a model's settings."""
        return asdict(self)

    def score(self, features: Features) -> float:
        """The probability that the word is right, strictly between 0 and 1."""
        weights = (self.mean, self.lowest, self.neighbours, self.segment, self.oddness)
        odds = self.intercept + math.fsum(weight * value for weight, value in zip(weights, features.values(), strict=True))
        return min(1 - _LEAST, max(_LEAST, _logistic(odds)))


def calibrated(
    words: Sequence[tuple[Word, Sequence[Token]]],
    evidence: Evidence,
    calibration: Calibration,
) -> tuple[Word, ...]:
    """The words of a segment with their calibrated scores.

    They come as from `words_of`: each scored by the mean probability of its spoken tokens, with those tokens.
    """
    return tuple(
        replace(word, score=calibration.score(features))
        for (word, _), features in zip(words, features_of(words, evidence), strict=True)
    )


def features_of(words: Sequence[tuple[Word, Sequence[Token]]], evidence: Evidence) -> tuple[Features, ...]:
    """The features of each word of a segment."""
    found = []
    for index, (word, tokens) in enumerate(words):
        beside = [words[other][0].score for other in (index - 1, index + 1) if 0 <= other < len(words)]
        found.append(
            Features(
                mean=log_odds(word.score),
                lowest=log_odds(min((token.probability for token in tokens), default=word.score)),
                neighbours=log_odds(min(beside, default=word.score)),
                segment=evidence.average_log_probability,
                oddness=duration_anomaly(word),
            )
        )
    return tuple(found)


def log_odds(probability: float) -> float:
    """The logarithm of the odds, kept finite at the ends."""
    kept = min(1 - _LEAST_PROBABILITY, max(_LEAST_PROBABILITY, probability))
    return math.log(kept / (1 - kept))


def _logistic(odds: float) -> float:
    return 1 / (1 + math.exp(-odds)) if odds > 0 else math.exp(odds) / (1 + math.exp(odds))
