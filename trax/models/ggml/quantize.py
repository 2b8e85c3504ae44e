"""Models with their weights in fewer bits, or in more again."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from trax.errors import ModelError
from trax.models.ggml.kinds import KINDS, QUANTISED
from trax.models.ggml.layout import layout
from trax.models.ggml.model import GgmlModel, LazyTensors, Tensor


def quantized(model: GgmlModel, kind: str) -> GgmlModel:
    """The model with its matrices stored as `kind` ("q8_0", "q5_0", or "f16", which undoes them), made one tensor at a time.

    The matrices are those that whisper.cpp's own tool quantises: not the positions, nor the convolutions. What else was stored otherwise
    than whisper.cpp takes it, as in a model of f32 alone, is brought to that too. From blocks of one kind to those of another the numbers
    are rounded twice.

    Raises ModelError when the model's rows do not divide into blocks of 32.
    """
    if kind not in {"f16", *QUANTISED}:
        raise ModelError(f"A model cannot be quantised to {kind}.", advice=f"Take f16, {' or '.join(QUANTISED)}.")
    width = model.header.audio_width
    if width % KINDS[kind].numbers:
        what = f"A model of width {width} cannot be quantised: its rows do not divide into blocks of 32."
        raise ModelError(what, advice="Keep it as f16.")
    header = replace(model.header, weights=kind)
    kinds = {tensor.name: tensor.kind for tensor in layout(header)}
    stored = {name: partial(_stored, model, name, kinds[name]) for name in model.tensors}
    return replace(model, header=header, tensors=LazyTensors(stored))


def _stored(model: GgmlModel, name: str, kind: str) -> Tensor:
    tensor = model.tensors[name]
    return tensor if tensor.kind == kind else Tensor.of(name, tensor.values(), kind)
