"""Whisper's architecture in torch, with the names of the ggml format, for the rows of `vocabulary` only.

Source: A. Radford et al., "Robust Speech Recognition via Large-Scale Weak Supervision", 2022, and whisper.cpp, which runs the result.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as nnf
from torch import Tensor, nn

from training.digits.recipes import Size
from training.digits.vocabulary import DIGITS, FIRST_TIMESTAMP_ROW, OTHER_LOG_COUNT, OTHER_ROW, ROWS

AUDIO_CONTEXT, TEXT_CONTEXT, MELS = 1500, 448, 80
_NEARNESS, _REST = 0.8, 0.3
_PLACE, _OWN = 0.07, 0.03  # how much of a time stamp's first vector is its place in time, and how much is its own


class Attention(nn.Module):
    """Multi-head attention; keys have no bias."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.heads = size.heads
        self.query = nn.Linear(size.width, size.width)
        self.key = nn.Linear(size.width, size.width, bias=False)
        self.value = nn.Linear(size.width, size.width)
        self.out = nn.Linear(size.width, size.width)

    def look_nearby(self) -> None:
        """Begin with weights by which a position attends to those near it: queries and keys are the waves of its place, the shorter ones.

        Source: A. Trockman and J. Z. Kolter, "Mimetic Initialization of Self-Attention Layers", 2023.
        """
        width = self.query.in_features
        waves = width // self.heads // 2
        pick = torch.zeros(2 * waves, width)
        for wave in range(waves):  # the sine of a wave, and its cosine
            pick[wave, wave] = pick[waves + wave, width // 2 + wave] = _NEARNESS
        with torch.no_grad():
            for projection in (self.query, self.key):
                projection.weight.mul_(_REST).add_(pick.repeat(self.heads, 1))

    def forward(self, x: Tensor, source: Tensor | None = None, *, causal: bool = False) -> Tensor:
        """Attend from x (batch, positions, width) to `source`, or to itself."""
        query, key, value = self._projected(x, x if source is None else source)
        return self._joined(nnf.scaled_dot_product_attention(query, key, value, is_causal=causal))

    def weighed(self, x: Tensor, source: Tensor) -> tuple[Tensor, Tensor]:
        """As `forward`, and the weights of the first head (batch, positions, positions of the source)."""
        query, key, value = self._projected(x, source)
        weights = torch.softmax(query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1]), dim=-1)
        return self._joined(weights @ value), weights[:, 0]

    def _projected(self, x: Tensor, source: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self._split(self.query(x)), self._split(self.key(source)), self._split(self.value(source))

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def _joined(self, x: Tensor) -> Tensor:
        return self.out(x.transpose(1, 2).flatten(2))


class Block(nn.Module):
    """A layer of the encoder, or with `cross` of the decoder. Norms come before what they serve."""

    def __init__(self, size: Size, *, cross: bool) -> None:
        super().__init__()
        self.attn, self.attn_ln = Attention(size), nn.LayerNorm(size.width)
        if cross:
            self.cross_attn, self.cross_attn_ln = Attention(size), nn.LayerNorm(size.width)
            self.cross_attn.look_nearby()
        else:
            self.attn.look_nearby()
        self.mlp = nn.Sequential(nn.Linear(size.width, 4 * size.width), nn.GELU("tanh"), nn.Linear(4 * size.width, size.width))
        self.mlp_ln = nn.LayerNorm(size.width)

    def encoded(self, x: Tensor) -> Tensor:
        """One layer of the encoder."""
        x = x + self.attn(self.attn_ln(x))
        return x + self.mlp(self.mlp_ln(x))

    def decoded(self, x: Tensor, sound: Tensor) -> tuple[Tensor, Tensor]:
        """One layer of the decoder, and where its first head listens."""
        x = x + self.attn(self.attn_ln(x), causal=True)
        heard, weights = self.cross_attn.weighed(self.cross_attn_ln(x), sound)
        x = x + heard
        return x + self.mlp(self.mlp_ln(x)), weights


class Encoder(nn.Module):
    """Features (batch, 80, 2n) to sound (batch, n, width)."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(MELS, size.width, 3, padding=1)
        self.conv2 = nn.Conv1d(size.width, size.width, 3, stride=2, padding=1)
        self.register_buffer("positional_embedding", _sinusoids(AUDIO_CONTEXT, size.width))
        self.blocks = nn.ModuleList(Block(size, cross=False) for _ in range(size.encoder_layers))
        self.ln_post = nn.LayerNorm(size.width)

    def forward(self, mel: Tensor, offset: int) -> Tensor:
        """Sound, as if it stood `offset` positions (20 ms each) after the start of the window."""
        x = nnf.gelu(self.conv1(mel), approximate="tanh")
        x = nnf.gelu(self.conv2(x), approximate="tanh").transpose(1, 2)
        x = x + self.positional_embedding[offset : offset + x.shape[1]]
        for block in self.blocks:
            x = block.encoded(x)
        return self.ln_post(x)


class Decoder(nn.Module):
    """Rows said so far to the logits of the next, listening to the sound."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.token_embedding = nn.Embedding(ROWS, size.width)
        self.positional_embedding = nn.Parameter(torch.randn(TEXT_CONTEXT, size.width) * 0.02)
        nn.init.normal_(self.token_embedding.weight, std=0.05)
        with torch.no_grad():  # a time stamp begins as the place in the sound that it names
            stamps = self.token_embedding.weight[FIRST_TIMESTAMP_ROW:OTHER_ROW]
            stamps[:-1] = _OWN * torch.randn(AUDIO_CONTEXT, size.width) + _PLACE * _sinusoids(AUDIO_CONTEXT, size.width)
        self.blocks = nn.ModuleList(Block(size, cross=True) for _ in range(size.decoder_layers))
        self.ln = nn.LayerNorm(size.width)

    def forward(self, rows: Tensor, sound: Tensor, positions: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Logits (batch, T, ROWS), and for each layer where its first head listens (batch, T, positions of the sound)."""
        x = self.token_embedding(rows) + self.positional_embedding[positions]
        listening = []
        for block in self.blocks:
            x, weights = block.decoded(x, sound)
            listening.append(weights)
        logits = self.ln(x) @ self.token_embedding.weight.T
        count = torch.zeros(ROWS)
        count[OTHER_ROW] = OTHER_LOG_COUNT
        return logits + count, listening


class Network(nn.Module):
    """A Whisper model. `digits` tells from the encoder alone which digit is spoken when; it is not part of what is exported."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.encoder, self.decoder = Encoder(size), Decoder(size)
        self.digits = nn.Linear(size.width, len(DIGITS) + 1)


def _sinusoids(length: int, width: int) -> Tensor:
    scale = torch.exp(-math.log(10_000) / (width // 2 - 1) * torch.arange(width // 2))
    angles = torch.arange(length)[:, None] * scale
    return torch.cat([angles.sin(), angles.cos()], dim=1)
