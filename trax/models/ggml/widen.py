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

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from trax.errors import ModelError
from trax.models.ggml.header import WhisperHeader
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
#: Those of large-v3-turbo. Two decoder layers, as in distil-large-v3, whisper.cpp takes for a model without time stamps.
LARGE_TURBO = Dimensions(1280, 20, 32, 4)

#: By the names that users know.
DIMENSIONS: dict[str, Dimensions] = {
    "tiny.en": TINY_EN,
    "base.en": BASE_EN,
    "small.en": SMALL_EN,
    "distil-small.en": DISTIL_SMALL_EN,
    "large-turbo": LARGE_TURBO,
}

_INTO_FEATURES = (".out.weight", ".out.bias", ".mlp.2.weight", ".mlp.2.bias")


def widened(model: GgmlModel, dimensions: Dimensions) -> GgmlModel:
    """The model in those dimensions, giving the same words; its tensors are made when they are asked for.

    Raises ModelError when the width is no multiple of the model's, its heads would get another width, or it has more layers already.
    """
    _check(model.header, dimensions)
    shares = shares_of(dimensions.width // model.header.audio_width)
    makers: dict[str, Callable[[], Tensor]] = {}
    for name in model.tensors:
        makers[name] = partial(_wide, model, name, shares)
    for name, original in _added(model, dimensions):
        makers[name] = partial(_added_tensor, model, name, original, shares)
    header = replace(
        model.header,
        audio_width=dimensions.width,
        audio_heads=dimensions.heads,
        audio_layers=dimensions.encoder_layers,
        text_width=dimensions.width,
        text_heads=dimensions.heads,
        text_layers=dimensions.decoder_layers,
    )
    return replace(model, header=header, tensors=LazyTensors(makers))


def shares_of(copies: int) -> tuple[float, ...]:
    """Powers of two that add up to one, as even as can be: what each of the copies of a feature contributes."""
    largest = 1 << (copies.bit_length() - 1)
    halved = copies - largest
    return (1 / largest,) * (largest - halved) + (0.5 / largest,) * (2 * halved)


def _check(header: WhisperHeader, dimensions: Dimensions) -> None:
    width, heads = header.audio_width, header.audio_heads
    if dimensions.width % width or dimensions.heads * width != heads * dimensions.width or header.text_heads != heads:
        raise ModelError(
            f"A model of width {width} with {heads} heads cannot be repeated to width {dimensions.width} with {dimensions.heads} heads.",
            advice="Take a model whose width and heads both go into them the same number of times.",
        )
    if header.audio_layers > dimensions.encoder_layers or header.text_layers > dimensions.decoder_layers:
        raise ModelError(
            f"A model of {header.audio_layers} encoder and {header.text_layers} decoder layers does not go into "
            f"{dimensions.encoder_layers} and {dimensions.decoder_layers}.",
            advice="Take a model with fewer layers: they can be added, not left out.",
        )


def _added(model: GgmlModel, dimensions: Dimensions) -> Iterator[tuple[str, str]]:
    """The name of each tensor of the added layers, and of the one that it copies: the model's layers in turn."""
    header = model.header
    for side, there, wanted in (
        ("encoder", header.audio_layers, dimensions.encoder_layers),
        ("decoder", header.text_layers, dimensions.decoder_layers),
    ):
        for layer in range(there, wanted):
            block, copied = f"{side}.blocks.{layer}.", f"{side}.blocks.{layer % there}."
            yield from ((block + name.removeprefix(copied), name) for name in model.tensors if name.startswith(copied))


def _added_tensor(model: GgmlModel, name: str, original: str, shares: Sequence[float]) -> Tensor:
    wide = replace(_wide(model, original, shares), name=name)
    if name.endswith(_INTO_FEATURES):
        return replace(wide, data=np.zeros_like(wide.data))  # blocks of zero bytes are zeros, too
    return wide


def _wide(model: GgmlModel, name: str, shares: Sequence[float]) -> Tensor:
    tensor, copies = model.tensors[name], len(shares)
    if name in ("decoder.ln.weight", "decoder.ln.bias"):
        return _shared(tensor, 0, shares)
    if name.endswith("embedding") or name == "decoder.token_embedding.weight":  # one row a position or token
        return _repeated(tensor, 1, copies)
    if len(tensor.shape) == 1 or name.endswith(".bias") or name == "encoder.conv1.weight":  # what conv1 reads are mel bands
        return _repeated(tensor, 0, copies)
    return _repeated(_shared(tensor, 1, shares), 0, copies)


def _repeated(tensor: Tensor, axis: int, copies: int) -> Tensor:
    shape = tuple(size * copies if number == axis else size for number, size in enumerate(tensor.shape))
    return replace(tensor, shape=shape, data=np.concatenate([tensor.data] * copies, axis))


def _shared(tensor: Tensor, axis: int, shares: Sequence[float]) -> Tensor:
    numbers = tensor.values()
    return Tensor.of(tensor.name, np.concatenate([numbers * np.float32(share) for share in shares], axis), tensor.kind)
