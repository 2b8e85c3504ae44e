"""A step of training: of the encoder, of the decoder on sounds that the encoder made before, or of both.

The decoder needs many more windows of thirty seconds to follow them than the encoder needs to hear them, and costs a tenth of it: so each
window's sound is kept for a while and shown to the decoder again, among others.
"""

from __future__ import annotations

from collections import deque

import numpy as np
import torch
from torch import Tensor

from training.digits.batches import Batch, asked
from training.digits.clips import RATE
from training.digits.examples import Example
from training.digits.features import log_mel
from training.digits.losses import Asked, encoder_loss, listening_loss, token_loss
from training.digits.network import Network
from training.digits.vocabulary import DIGITS, FIRST_TIMESTAMP_ROW

_ENCODER_SHARE, _LISTENING_SHARE = 1.0, 0.8
_KEPT, _SHOWN = 18_000, 480  # seconds

Measured = tuple[float, float, float, float]


class Learner:
    """Trains a network. What it measures: the losses of tokens, encoder and listening, and the share of digits that came out right."""

    def __init__(self, network: Network, optimizer: torch.optim.Optimizer, filters: Tensor) -> None:
        self._network, self._optimizer, self._filters = network, optimizer, filters
        self._kept: deque[tuple[Tensor, Example]] = deque()

    def learn(self, kind: str, shown: Batch, draw: np.random.Generator) -> Measured:
        """One step of a kind that `recipes.Stage` names."""
        match kind:
            case "hear":
                return self._hear(shown)
            case "follow":
                return self._follow(shown, draw)
            case _:
                return self._both(shown)

    def _hear(self, shown: Batch) -> Measured:
        logits = self._network.digits(self._encoded(shown))
        heard = encoder_loss(logits, shown.asked.spoken)
        self._step(heard)
        return 0.0, heard.item(), 0.0, _right(logits, shown.asked.spoken)

    def _both(self, shown: Batch) -> Measured:
        self._kept.clear()
        sound = self._encoded(shown)
        heard = encoder_loss(self._network.digits(sound), shown.asked.spoken)
        return self._decode(sound, shown.asked, heard)

    def _follow(self, shown: Batch, draw: np.random.Generator) -> Measured:
        """Keep what the encoder hears in a batch (all of one length), and train the decoder on windows kept now and before."""
        with torch.no_grad():
            sounds = self._encoded(shown).half()
        if self._kept and self._kept[0][0].shape != sounds[0].shape:
            self._kept.clear()
        self._kept.extend(zip(sounds, shown.asked.examples, strict=True))
        seconds = shown.samples.shape[1] / RATE
        while len(self._kept) * seconds > _KEPT:
            self._kept.popleft()
        chosen = draw.permutation(len(self._kept))[: int(_SHOWN / seconds)]
        sound = torch.stack([self._kept[each][0] for each in chosen]).float()
        return self._decode(sound, asked([self._kept[each][1] for each in chosen], sound.shape[1]), torch.zeros(()))

    def _encoded(self, shown: Batch) -> Tensor:
        return self._network.encoder(log_mel(shown.samples, self._filters), shown.offset)

    def _decode(self, sound: Tensor, question: Asked, heard: Tensor) -> Measured:
        logits, listening = self._network.decoder(question.rows, sound, question.positions)
        tokens, where = token_loss(logits, question.targets), listening_loss(listening, question.spans)
        self._step(tokens + _ENCODER_SHARE * heard + _LISTENING_SHARE * where)
        return tokens.item(), heard.item(), where.item(), _right(logits[..., :FIRST_TIMESTAMP_ROW], question.targets)

    def _step(self, loss: Tensor) -> None:
        self._optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._network.parameters(), 1.0)
        self._optimizer.step()


def _right(logits: Tensor, wanted: Tensor) -> float:
    """The share of what should be digits that is the right one."""
    digits = (wanted >= 0) & (wanted < len(DIGITS))
    return float((logits.argmax(dim=-1) == wanted)[digits].float().mean().nan_to_num(1.0).item())
