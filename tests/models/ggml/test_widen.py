"""A wide model computes what the small one does, by a plain Whisper in exact numbers; `tests/asr/test_widened.py` asks whisper.cpp."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trax.errors import ModelError
from trax.models.ggml.header import WhisperHeader
from trax.models.ggml.layout import layout
from trax.models.ggml.model import GgmlModel, Tensor
from trax.models.ggml.widen import Dimensions, shares_of, widened

MELS, TOKENS, AUDIO_CONTEXT, TEXT_CONTEXT = 5, 7, 4, 6


def random_model(seed: int, size: Dimensions) -> GgmlModel:
    """A whole model of dimensions that only the plain Whisper below can run, its weights in no way special."""
    audio, text = (size.width, size.heads, size.encoder_layers), (size.width, size.heads, size.decoder_layers)
    header = WhisperHeader(TOKENS, AUDIO_CONTEXT, *audio, TEXT_CONTEXT, *text, MELS, "f32")
    random = np.random.default_rng(seed)
    tensors = {part.name: Tensor.of(part.name, random.standard_normal(part.shape), "f32") for part in layout(header)}
    return GgmlModel(header, np.zeros((MELS, 3), np.float32), (b"a",), tensors)


class PlainWhisper:
    """Whisper's forward pass as its paper draws it, in double precision."""

    def __init__(self, model: GgmlModel) -> None:
        self.header = model.header
        self.weights = {name: model.tensors[name].values().astype(np.float64) for name in model.tensors}

    def logits(self, mel, tokens):
        """(tokens, vocabulary) of a spectrogram of (mels, frames)."""
        weights = self.weights
        x = self.convolution("encoder.conv1", mel, stride=1)
        x = self.convolution("encoder.conv2", x, stride=2).T
        x = x + weights["encoder.positional_embedding"][: len(x)]
        for layer in range(self.header.audio_layers):
            x = self.block(f"encoder.blocks.{layer}", x)
        heard = self.norm("encoder.ln_post", x)
        x = weights["decoder.token_embedding.weight"][tokens] + weights["decoder.positional_embedding"][: len(tokens)]
        for layer in range(self.header.text_layers):
            x = self.block(f"decoder.blocks.{layer}", x, heard)
        return self.norm("decoder.ln", x) @ weights["decoder.token_embedding.weight"].T

    def block(self, name, x, heard=None):
        within = self.norm(f"{name}.attn_ln", x)
        x = x + self.attention(f"{name}.attn", within, within, is_causal=heard is not None)
        if heard is not None:
            x = x + self.attention(f"{name}.cross_attn", self.norm(f"{name}.cross_attn_ln", x), heard, is_causal=False)
        return x + self.linear(f"{name}.mlp.2", gelu(self.linear(f"{name}.mlp.0", self.norm(f"{name}.mlp_ln", x))))

    def attention(self, name, x, source, *, is_causal):
        query, key, value = (
            self.linear(f"{name}.{part}", features).reshape(len(features), self.header.audio_heads, -1).swapaxes(0, 1)
            for part, features in (("query", x), ("key", source), ("value", source))
        )
        scores = query @ key.swapaxes(1, 2) / math.sqrt(query.shape[2])
        if is_causal:
            scores = np.where(np.tri(len(x), dtype=bool), scores, -np.inf)
        weights = np.exp(scores - scores.max(axis=2, keepdims=True))
        heads = weights / weights.sum(axis=2, keepdims=True) @ value
        return self.linear(f"{name}.out", heads.swapaxes(0, 1).reshape(len(x), -1))

    def convolution(self, name, x, *, stride):
        padded = np.pad(x, ((0, 0), (1, 1)))
        frames = np.lib.stride_tricks.sliding_window_view(padded, 3, axis=1)[:, ::stride]
        return gelu(np.einsum("oik,itk->ot", self.weights[f"{name}.weight"], frames) + self.weights[f"{name}.bias"])

    def linear(self, name, x):
        return x @ self.weights[f"{name}.weight"].T + self.weights.get(f"{name}.bias", 0)

    def norm(self, name, x):
        apart = x - x.mean(axis=1, keepdims=True)
        scaled = apart / np.sqrt((apart**2).mean(axis=1, keepdims=True) + 1e-5)
        return scaled * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]


def gelu(x):
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


@settings(max_examples=40)
@given(
    seed=st.integers(0, 1000),
    heads=st.integers(1, 3),
    copies=st.integers(1, 11),
    layers=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    added=st.tuples(st.integers(0, 3), st.integers(0, 3)),
)
def test_the_logits_stay(seed, heads, copies, layers, added):
    model = random_model(seed, Dimensions(4 * heads, heads, *layers))
    wide = widened(model, Dimensions(4 * heads * copies, heads * copies, layers[0] + added[0], layers[1] + added[1]))
    mel = np.random.default_rng(seed).standard_normal((MELS, 2 * AUDIO_CONTEXT))
    tokens = [3, 1, 4, 1, 5]
    expected = PlainWhisper(model).logits(mel, tokens)
    assert np.abs(PlainWhisper(wide).logits(mel, tokens) - expected).max() < 1e-9 * np.abs(expected).max()


@given(st.integers(1, 1000))
def test_shares_are_powers_of_two_that_add_up_to_one(copies):
    shares = shares_of(copies)
    assert len(shares) == copies
    assert sum(shares) == 1
    assert all(math.frexp(share)[0] == 0.5 for share in shares)
    assert max(shares) <= 2 * min(shares)


@pytest.mark.parametrize("kind", ["f32", "f16", "q8_0", "q5_0"])
def test_what_is_read_in_each_kind_of_weights_is_what_was_there(kind):
    """Features that were rounded once are not rounded again by being shared out."""
    model = random_model(1, Dimensions(32, 1, 1, 1))
    name = "encoder.blocks.0.mlp.0.weight"
    tensor = Tensor.of(name, model.tensors[name].values(), kind)
    model = replace(model, tensors={**model.tensors, name: tensor})
    wide = widened(model, Dimensions(96, 3, 1, 1)).tensors[name]
    assert (wide.kind, wide.shape) == (kind, (3 * 128, 96))
    assert (wide.values().reshape(3, 128, 3, 32).sum(axis=2) == tensor.values()).all()


@pytest.mark.parametrize(
    ("model", "dimensions", "told"),
    [
        (Dimensions(8, 2, 1, 1), Dimensions(20, 5, 1, 1), "width 20 with 5 heads"),
        (Dimensions(8, 2, 1, 1), Dimensions(4, 1, 1, 1), "width 4 with 1 heads"),
        (Dimensions(8, 2, 1, 1), Dimensions(16, 2, 1, 1), "width 16 with 2 heads"),
        (Dimensions(8, 2, 2, 1), Dimensions(16, 4, 1, 1), "2 encoder and 1 decoder layers does not go into 1 and 1"),
        (Dimensions(8, 2, 1, 3), Dimensions(16, 4, 1, 2), "1 encoder and 3 decoder layers does not go into 1 and 2"),
    ],
)
def test_dimensions_that_do_not_divide_are_refused(model, dimensions, told):
    with pytest.raises(ModelError, match=told):
        widened(random_model(1, model), dimensions)
