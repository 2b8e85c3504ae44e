"""The tensors of a Whisper model: their names, shapes, and how whisper.cpp wants their numbers stored."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from trax.models.ggml.header import WhisperHeader

_KERNEL = 3  # frames that a convolution sees
FEED_FORWARD = 4  # times the width
_VECTOR, _MATRIX = 1, 2  # dimensions


class Expected(NamedTuple):
    """A tensor that a model must have. `shape` counts as numpy does, the fastest dimension last; `kind` is how its numbers are stored."""

    name: str
    shape: tuple[int, ...]
    kind: str


def layout(header: WhisperHeader) -> tuple[Expected, ...]:
    """The tensors of a model with these dimensions and weights, in the order of whisper.cpp's converter from PyTorch."""
    return tuple(Expected(name, shape, _kind(name, shape, header.weights)) for name, shape in _tensors(header))


def _kind(name: str, shape: tuple[int, ...], weights: str) -> str:
    """What whisper.cpp makes room for: only matrices are quantised, and what is small (positions, norms, biases) keeps all its digits."""
    if not name.endswith(".weight") or len(shape) == _VECTOR:
        return "f32"
    return weights if len(shape) == _MATRIX or weights == "f32" else "f16"


_Tensors = Iterator[tuple[str, tuple[int, ...]]]


def _tensors(header: WhisperHeader) -> _Tensors:
    width = header.audio_width
    yield "encoder.positional_embedding", (header.audio_context, width)
    for number, inward in ((1, header.mels), (2, width)):
        yield f"encoder.conv{number}.weight", (width, inward, _KERNEL)
        yield f"encoder.conv{number}.bias", (width, 1)
    for layer in range(header.audio_layers):
        yield from _block(f"encoder.blocks.{layer}", width, ("attn",))
    yield from _norm("encoder.ln_post", width)
    yield "decoder.positional_embedding", (header.text_context, width)
    yield "decoder.token_embedding.weight", (header.vocabulary, width)
    for layer in range(header.text_layers):
        yield from _block(f"decoder.blocks.{layer}", width, ("attn", "cross_attn"))
    yield from _norm("decoder.ln", width)


def _block(name: str, width: int, attentions: tuple[str, ...]) -> _Tensors:
    for attention in attentions:
        for part in ("query", "key", "value", "out"):
            yield from _linear(f"{name}.{attention}.{part}", width, width, bias=part != "key")
        yield from _norm(f"{name}.{attention}_ln", width)
    yield from _linear(f"{name}.mlp.0", width, FEED_FORWARD * width)
    yield from _linear(f"{name}.mlp.2", FEED_FORWARD * width, width)
    yield from _norm(f"{name}.mlp_ln", width)


def _norm(name: str, width: int) -> _Tensors:
    yield f"{name}.weight", (width,)
    yield f"{name}.bias", (width,)


def _linear(name: str, inward: int, outward: int, *, bias: bool = True) -> _Tensors:
    yield f"{name}.weight", (outward, inward)
    if bias:
        yield f"{name}.bias", (outward,)
