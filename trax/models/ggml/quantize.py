"""Models with their weights in fewer bits, or in more again."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from trax.errors import ModelError
from trax.models.ggml.blocks import KINDS, QUANTISED
from trax.models.ggml.model import GgmlModel, LazyTensors, Tensor

#: Matrices that whisper.cpp wants as they are: the positions and the biases of the convolutions, whose shape is (n, 1).
_LEFT = frozenset({"encoder.positional_embedding", "decoder.positional_embedding", "encoder.conv1.bias", "encoder.conv2.bias"})


def quantized(model: GgmlModel, kind: str) -> GgmlModel:
    """The model with its matrices stored as `kind` ("q8_0", "q5_0", or "f16", which undoes them), made one tensor at a time.

    The tensors are those that whisper.cpp's own tool quantises: all of two dimensions but for the positions and biases. Vectors and the
    convolutions' weights stay. From blocks of one kind to those of another the numbers are rounded twice.

    Raises ModelError when the model's rows do not divide into blocks of 32.
    """
    if kind not in {"f16", *QUANTISED}:
        raise ModelError(f"A model cannot be quantised to {kind}.", advice=f"Take f16, {' or '.join(QUANTISED)}.")
    width = model.header.audio_width
    if width % KINDS[kind].numbers:
        raise ModelError(f"A model of width {width} cannot be quantised: its rows do not divide into blocks of 32.", advice="Keep it as f16.")
    tensors = LazyTensors({name: partial(_quantized, model, name, kind) for name in model.tensors})
    return replace(model, header=replace(model.header, weights=kind), tensors=tensors)


def _quantized(model: GgmlModel, name: str, kind: str) -> Tensor:
    tensor = model.tensors[name]
    if len(tensor.shape) != 2 or name in _LEFT or tensor.kind == kind:
        return tensor
    return Tensor.of(name, tensor.values(), kind)
