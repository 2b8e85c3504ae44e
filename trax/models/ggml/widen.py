"""A small model made as wide and deep as a published one without changing what it computes: real words at the cost of the real size.

These are Net2Net's function-preserving transformations (Chen, Goodfellow and Shlens, 2016), for Whisper's layers:

- The features are repeated as a whole, [a b] as [a b a b a b]. LayerNorm does not see it, since mean and variance stay; heads keep their
  width and are repeated with their features; blocks of 32 quantised weights stay as they are.
- What reads repeated features shares its weights out among the copies: a half and two quarters for three of them. Powers of two, because
  dividing by them changes no digit of a weight, however it is stored; thirds would.
- The decoder's token embedding is read both ways, so it is only repeated; the norm before it, which nothing else reads, is shared out.
- A layer that is added copies one of the model's, but for what it would add to the features: that is zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from trax.errors import ModelError
from trax.models.ggml.header import WhisperHeader
from trax.models.ggml.layout import layout
from trax.models.ggml.model import GgmlModel, LazyTensors, Tensor


@dataclass(frozen=True, slots=True)
class Dimensions:
    """What of a model's size can be changed: the width and heads of encoder and decoder, and their layers."""

    width: int
    heads: int
    encoder_layers: int
    decoder_layers: int


TINY_EN = Dimensions(384, 6, 4, 4)
BASE_EN = Dimensions(512, 8, 6, 6)
SMALL_EN = Dimensions(768, 12, 12, 12)
DISTIL_SMALL_EN = Dimensions(768, 12, 12, 4)
#: Those of large-v3-turbo. With two decoder layers and the older vocabulary, whisper.cpp takes a model for one without time stamps.
LARGE_TURBO = Dimensions(1280, 20, 32, 4)

#: By the names that users know.
DIMENSIONS: dict[str, Dimensions] = {
    "tiny.en": TINY_EN,
    "base.en": BASE_EN,
    "small.en": SMALL_EN,
    "distil-small.en": DISTIL_SMALL_EN,
    "large-turbo": LARGE_TURBO,
}

#: What a layer adds to the features.
_ADDED = (".out.weight", ".out.bias", ".mlp.2.weight", ".mlp.2.bias")


def widened(model: GgmlModel, dimensions: Dimensions) -> GgmlModel:
    """The model in those dimensions: it computes the same, but for rounding. Its tensors are made when they are asked for.

    Raises ModelError when the width is no multiple of the model's, its heads would get another width, or it has more layers already.
    """
    _check(model.header, dimensions)
    header = replace(
        model.header,
        audio_width=dimensions.width,
        audio_heads=dimensions.heads,
        audio_layers=dimensions.encoder_layers,
        text_width=dimensions.width,
        text_heads=dimensions.heads,
        text_layers=dimensions.decoder_layers,
    )
    shares = shares_of(dimensions.width // model.header.audio_width)
    names = [expected.name for expected in layout(header)]
    return replace(model, header=header, tensors=LazyTensors({name: partial(_made, model, name, shares) for name in names}))


def shares_of(copies: int) -> tuple[float, ...]:
    """Powers of two that add up to one, as even as can be: how much each of the copies of a feature counts."""
    largest = 1 << (copies.bit_length() - 1)
    halved = copies - largest
    return (1 / largest,) * (largest - halved) + (0.5 / largest,) * (2 * halved)


def _check(header: WhisperHeader, dimensions: Dimensions) -> None:
    width, heads = header.audio_width, header.audio_heads
    if header.text_heads != heads or dimensions.width % width or dimensions.heads * width != heads * dimensions.width:
        raise ModelError(
            f"A model of width {width} with {heads} heads cannot be repeated to width {dimensions.width} with {dimensions.heads} heads.",
            advice="Take a model whose width and heads both go into them the same number of times.",
        )
    if header.audio_layers > dimensions.encoder_layers or header.text_layers > dimensions.decoder_layers:
        raise ModelError(
            f"A model of {header.audio_layers} encoder and {header.text_layers} decoder layers does not go into "
            f"{dimensions.encoder_layers} and {dimensions.decoder_layers}.",
            advice="Take a model with fewer layers: they are added, never left out.",
        )


def _made(model: GgmlModel, name: str, shares: Sequence[float]) -> Tensor:
    original = _original(name, model.header)
    tensor = replace(_wide(model.tensors[original], shares), name=name)
    if name != original and name.endswith(_ADDED):
        return replace(tensor, data=np.zeros_like(tensor.data))  # blocks of zero bytes are zeros, too
    return tensor


def _original(name: str, header: WhisperHeader) -> str:
    """The tensor that one of the wide model is made from; added layers take after the model's in turn."""
    side, group, *rest = name.split(".")
    if group != "blocks":
        return name
    layers = header.audio_layers if side == "encoder" else header.text_layers
    return ".".join([side, group, str(int(rest[0]) % layers), *rest[1:]])


def _wide(tensor: Tensor, shares: Sequence[float]) -> Tensor:
    name, copies = tensor.name, len(shares)
    if name.startswith("decoder.ln."):
        return _shared(tensor, 0, shares)
    if "embedding" in name:  # a row for each position or token
        return _repeated(tensor, 1, copies)
    if len(tensor.shape) == 1 or name.endswith(".bias") or name == "encoder.conv1.weight":  # what conv1 reads are mel bands
        return _repeated(tensor, 0, copies)
    return _repeated(_shared(tensor, 1, shares), 0, copies)


def _repeated(tensor: Tensor, axis: int, copies: int) -> Tensor:
    shape = tuple(size * copies if number == axis else size for number, size in enumerate(tensor.shape))
    return replace(tensor, shape=shape, data=np.concatenate([tensor.data] * copies, axis))


def _shared(tensor: Tensor, axis: int, shares: Sequence[float]) -> Tensor:
    values = tensor.values()
    return Tensor.of(tensor.name, np.concatenate([values * np.float32(share) for share in shares], axis), tensor.kind)
