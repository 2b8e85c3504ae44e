"""What is trained, on what, for how long. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

#: AdamW's rate, the steps it rises over, and the part of all steps it falls over.
RATE: Final = 1.5e-3
_WARM_UP, _DECAY, _LEAST = 300, 0.35, 0.02

#: Shares of what is said; the rest are the speakers of FSDD.
RARE: Final[Mapping[str, float]] = {"commands": 0.06, "espeak": 0.26, "flite": 0.08}


@dataclass(frozen=True, slots=True)
class Size:
    """Dimensions: heads are `width / heads` wide."""

    width: int
    heads: int
    encoder_layers: int = 4
    decoder_layers: int = 3  # of two, whisper.cpp takes a model for a distilled one of the first release, which has no time stamps


@dataclass(frozen=True, slots=True)
class Stage:
    """So many steps on windows of these lengths (seconds, share).

    "hear": the encoder learns; "follow": the decoder does, on windows of one length that the encoder hears once; "both": both do.
    """

    learns: Literal["hear", "follow", "both"]
    steps: int
    lengths: Sequence[tuple[int, float]]


@dataclass(frozen=True, slots=True)
class Recipe:
    """A size and how it is trained."""

    size: Size
    stages: Sequence[Stage]

    @property
    def steps(self) -> int:
        """Steps in all."""
        return sum(stage.steps for stage in self.stages)

    def stage(self, step: int) -> Stage:
        """The stage of a step (from 0)."""
        for stage in self.stages:
            if step < stage.steps:
                return stage
            step -= stage.steps
        raise IndexError(step)

    def rate(self, step: int) -> float:
        """AdamW's rate in a step: up, level, and down as half a cosine."""
        falling = (step - self.steps * (1 - _DECAY)) / (self.steps * _DECAY)
        height = 1.0 if falling < 0 else _LEAST + (1 - _LEAST) * (1 + math.cos(math.pi * falling)) / 2
        return RATE * min(1.0, (step + 1) / _WARM_UP) * height


_MIXED, _WHOLE = [(6, 0.2), (12, 0.2), (30, 0.6)], [(30, 1.0)]
_BEGINNING = (
    Stage("hear", 1500, [(3, 0.8), (6, 0.2)]),
    Stage("follow", 900, [(6, 1.0)]),
    Stage("both", 400, _MIXED),
)

RECIPES: Final[Mapping[str, Recipe]] = {
    "fast": Recipe(Size(64, 1), (*_BEGINNING, Stage("follow", 1500, _WHOLE), Stage("both", 700, _MIXED), Stage("follow", 1600, _WHOLE))),
    "better": Recipe(Size(128, 2), (*_BEGINNING, Stage("follow", 1200, _WHOLE), Stage("both", 500, _MIXED), Stage("follow", 3000, _WHOLE))),
}
