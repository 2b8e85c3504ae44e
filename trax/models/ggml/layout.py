"""The tensors of a Whisper model: their names, shapes, and what whisper.cpp's tools store them as."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from trax.models.ggml.header import WhisperHeader

_KERNEL = 3  # frames that a convolution sees
_FEED_FORWARD = 4  # times the width


class Expected(NamedTuple):
    """A tensor that a model must have. `shape` counts as numpy does, the fastest dimension last."""

    name: str
    shape: tuple[int, ...]

    @property
    def is_matrix(self) -> bool:
        """Whether it is quantised: the positions, the vectors and the convolutions are not."""
        return self.name.endswith(".weight") and len(self.shape) == len(("rows", "columns"))

    @property
    def kind(self) -> str:
        """What it is stored as when the model is not quantised: "f32" for the positions, norms and biases, which are small, else "f16"."""
        return "f16" if self.name.endswith(".weight") and len(self.shape) > 1 else "f32"


def layout(header: WhisperHeader) -> tuple[Expected, ...]:
    """The tensors of a model with these dimensions, in the order of whisper.cpp's converter from PyTorch."""
    return tuple(Expected(name, shape) for name, shape in _tensors(header))


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
    yield from _linear(f"{name}.mlp.0", width, _FEED_FORWARD * width)
    yield from _linear(f"{name}.mlp.2", _FEED_FORWARD * width, width)
    yield from _norm(f"{name}.mlp_ln", width)


def _norm(name: str, width: int) -> _Tensors:
    yield f"{name}.weight", (width,)
    yield f"{name}.bias", (width,)


def _linear(name: str, inward: int, outward: int, *, bias: bool = True) -> _Tensors:
    yield f"{name}.weight", (outward, inward)
    if bias:
        yield f"{name}.bias", (outward,)
