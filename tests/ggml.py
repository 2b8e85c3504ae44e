"""Writes Whisper models of the real format: tiny dimensions, random weights, a vocabulary of numbered words."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np

AUDIO_CONTEXT, TEXT_CONTEXT, FREQUENCIES = 1500, 448, 201
F32, F16 = 0, 1

Tensor = tuple[str, tuple[int, ...], int]


def write(
    path: Path,
    *,
    width: int = 2,
    heads: int = 1,
    encoder_layers: int = 1,
    decoder_layers: int = 1,
    mels: int = 80,
    vocabulary: int = 51_864,
) -> None:
    """Write a model that whisper.cpp loads; a `vocabulary` of 51,864 tokens is that of the English models."""
    random = np.random.default_rng(5)
    audio = (AUDIO_CONTEXT, width, heads, encoder_layers)
    text = (TEXT_CONTEXT, width, heads, decoder_layers)
    with path.open("wb") as file:
        file.write(struct.pack("<I11i", 0x67676D6C, vocabulary, *audio, *text, mels, F16))
        file.write(struct.pack("<2i", mels, FREQUENCIES) + (random.random((mels, FREQUENCIES)) * 0.01).astype("<f4").tobytes())
        file.write(_words())
        for name, shape, kind in _tensors(width, encoder_layers, decoder_layers, mels, vocabulary):
            file.write(struct.pack("<3i", len(shape), len(name), kind) + struct.pack(f"<{len(shape)}i", *shape) + name.encode())
            values = np.ones(shape) if "ln" in name and name.endswith("weight") else random.standard_normal(shape) * 0.1
            file.write(values.astype("<f2" if kind == F16 else "<f4").tobytes())


@cache
def _words() -> bytes:
    words = [b" ", *(f" word{number}".encode() for number in range(1, 50_257))]  # whisper.cpp looks for a token that is a space
    return struct.pack("<i", len(words)) + b"".join(struct.pack("<i", len(word)) + word for word in words)


def _tensors(width: int, encoder_layers: int, decoder_layers: int, mels: int, vocabulary: int) -> Iterator[Tensor]:
    """Names, shapes as ggml counts them (fastest first) and types, as whisper.cpp expects them."""
    yield "encoder.positional_embedding", (width, AUDIO_CONTEXT), F32
    for number, inward in ((1, mels), (2, width)):
        yield f"encoder.conv{number}.weight", (3, inward, width), F16
        yield f"encoder.conv{number}.bias", (1, width), F32
    yield from _norm("encoder.ln_post", width)
    yield "decoder.positional_embedding", (width, TEXT_CONTEXT), F32
    yield "decoder.token_embedding.weight", (width, vocabulary), F16
    yield from _norm("decoder.ln", width)
    for side, layers in (("encoder", encoder_layers), ("decoder", decoder_layers)):
        for layer in range(layers):
            block = f"{side}.blocks.{layer}"
            yield from _attention(f"{block}.attn", width)
            if side == "decoder":
                yield from _attention(f"{block}.cross_attn", width)
            yield from _norm(f"{block}.mlp_ln", width)
            yield from _linear(f"{block}.mlp.0", width, 4 * width)
            yield from _linear(f"{block}.mlp.2", 4 * width, width)


def _attention(name: str, width: int) -> Iterator[Tensor]:
    yield from _norm(f"{name}_ln", width)
    for part in ("query", "key", "value", "out"):
        yield from _linear(f"{name}.{part}", width, width, bias=part != "key")


def _norm(name: str, width: int) -> Iterator[Tensor]:
    yield f"{name}.weight", (width,), F32
    yield f"{name}.bias", (width,), F32


def _linear(name: str, inward: int, outward: int, *, bias: bool = True) -> Iterator[Tensor]:
    yield f"{name}.weight", (inward, outward), F16
    if bias:
        yield f"{name}.bias", (outward,), F32
