"""What training minimises: the next token, the digits read off the encoder, and listening where the next token is heard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as nnf
from torch import Tensor

from training.digits.examples import Example
from training.digits.vocabulary import FIRST_TIMESTAMP_ROW, TIMESTAMPS

#: How far (20 ms each) from a time stamp its neighbours share its probability, and the shares.
_STAMP_SHARES = {0: 0.5, 1: 0.2, 2: 0.05}


@dataclass(frozen=True, slots=True)
class Asked:
    """What the decoder is asked about a batch of windows.

    `rows` and `positions` (batch, T) go in, `targets` (batch, T) must come out, -1 where nothing is asked; `spans` (batch, T, positions of
    the sound) is 1 where a target is heard; `spoken` (batch, positions of the sound) is the digit spoken there, or their number for none.
    `examples` is what all this was made of.
    """

    rows: Tensor
    positions: Tensor
    targets: Tensor
    spans: Tensor
    spoken: Tensor
    examples: Sequence[Example]


def token_loss(logits: Tensor, rows: Tensor) -> Tensor:
    """Cross-entropy; a time stamp's neighbours count a little, since no one could tell them apart."""
    asked = rows >= 0
    likely = torch.log_softmax(logits[asked], dim=-1)
    wanted = rows[asked]
    stamps = wanted >= FIRST_TIMESTAMP_ROW
    loss = -likely[~stamps].gather(1, wanted[~stamps, None]).sum()
    for distance, share in _STAMP_SHARES.items():
        for step in {distance, -distance}:
            near = (wanted[stamps] + step).clamp(FIRST_TIMESTAMP_ROW, FIRST_TIMESTAMP_ROW + TIMESTAMPS - 1)
            loss = loss - share * likely[stamps].gather(1, near[:, None]).sum()
    return loss / asked.sum()


def listening_loss(listening: list[Tensor], spans: Tensor) -> Tensor:
    """How little of the weights lies where the next token is heard, for every layer but the first, which has to find its way.

    Source: supervised attention, as in L. Liu et al., "Neural Machine Translation with Supervised Attention", 2016.
    """
    heard = spans.sum(dim=-1) > 0
    losses = [-(weights * spans).sum(dim=-1)[heard].clamp(min=1e-6).log().mean() for weights in listening[1:]]
    return torch.stack(losses).mean() if heard.any() else torch.zeros(())


def encoder_loss(logits: Tensor, spoken: Tensor) -> Tensor:
    """Cross-entropy of which digit, or none, is spoken at each of the encoder's positions (batch, n, digits + none)."""
    return nnf.cross_entropy(logits.flatten(0, 1), spoken.flatten())
