"""Batches for the network: drawn by the number of the step alone, so that a run that was broken off goes on as if it had not been."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from training.digits.clips import RATE
from training.digits.examples import Example, example, misheard
from training.digits.losses import Asked
from training.digits.mixtures import Cast, conversation, without_speech
from training.digits.network import TEXT_CONTEXT
from training.digits.vocabulary import DIGITS, END_ROW, TIMESTAMP_SECONDS

WINDOW = 30  # seconds; what whisper.cpp hears at once
_AUDIO_A_BATCH = 104  # seconds
_SHORTEST = 1.25
_SHORTEST_PAUSE, _LONGEST_PAUSES = 0.3, (0.5, 2.0)
_MISHEARD = 0.6  # of the windows with speech


@dataclass(frozen=True, slots=True)
class Batch:
    """Samples (batch, samples), the encoder's first position, and what the decoder is asked."""

    samples: Tensor
    offset: int
    asked: Asked


def batch(seed: int, step: int, cast: Cast, lengths: Sequence[tuple[int, float]]) -> Batch:
    """The batch of a step. `lengths` are windows in seconds and how often each is drawn; shorter ones mostly stand later in the thirty."""
    draw = np.random.default_rng([seed, step])
    seconds = int(draw.choice([length for length, _ in lengths], p=[share for _, share in lengths]))
    room = (WINDOW - seconds) * 50
    offset = int(draw.integers(0, room + 1)) if room and draw.random() < 0.7 else 0
    count = max(1, _AUDIO_A_BATCH // seconds)
    examples = [_example(draw, cast, seconds, offset * TIMESTAMP_SECONDS) for _ in range(count)]
    samples = np.zeros((count, seconds * RATE), dtype=np.float32)
    for index, each in enumerate(examples):
        samples[index, : len(each.samples)] = each.samples
    return Batch(torch.from_numpy(samples), offset, asked(examples, seconds * 50))


def _example(draw: np.random.Generator, cast: Cast, seconds: int, offset: float) -> Example:
    heard = float(draw.uniform(_SHORTEST, seconds)) if draw.random() < 0.3 else float(seconds)
    if draw.random() < 0.12:
        return example(draw, without_speech(draw, heard), offset)
    longest = float(draw.uniform(*_LONGEST_PAUSES))  # Trax leaves out most of a long pause: its windows may be dense
    mixture = conversation(draw, cast, heard, varied=draw.random() < 0.75, pauses=(_SHORTEST_PAUSE, longest))
    spoken = example(draw, mixture, offset)
    return misheard(draw, spoken) if draw.random() < _MISHEARD else spoken


def asked(examples: Sequence[Example], width: int) -> Asked:
    """What the decoder is asked about sounds of `width` positions."""
    longest = max(len(each.rows) for each in examples)
    rows = np.full((len(examples), longest), END_ROW)
    targets = np.full((len(examples), longest), -1)
    positions = np.zeros((len(examples), longest), dtype=np.int64)
    spans = np.zeros((len(examples), longest, width), dtype=np.float32)
    spoken = np.full((len(examples), width), len(DIGITS))
    place = (np.arange(width) + 0.5) * TIMESTAMP_SECONDS
    for index, each in enumerate(examples):
        count = len(each.rows)
        rows[index, :count], targets[index, :count] = each.rows, each.targets
        # what was said before `position` is not shown: the place where it would stand is left free
        prompt = int(np.argmax(each.targets >= 0)) + 1
        positions[index, :prompt] = np.arange(prompt)
        positions[index, prompt:] = np.minimum(np.arange(prompt, longest) + each.position, TEXT_CONTEXT - 1)
        start, end = each.spans[:, :1], each.spans[:, 1:]
        spans[index, :count] = (place >= start) & (place <= end)  # nothing is within NaN
        for digit in each.digits:
            spoken[index, (place >= digit.start) & (place <= digit.end)] = digit.digit
    tensor = torch.from_numpy
    return Asked(tensor(rows), tensor(positions), tensor(targets), tensor(spans), tensor(spoken), examples)
