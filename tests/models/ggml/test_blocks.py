"""Blocks of weights against the quantisers of the package gguf, which are those of ggml itself."""

from __future__ import annotations

import numpy as np
import pytest
from gguf import GGMLQuantizationType
from gguf.quants import dequantize, quantize
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from trax.models.ggml.blocks import dequantise, quantise
from trax.models.ggml.kinds import KINDS

TYPES = {"q8_0": GGMLQuantizationType.Q8_0, "q5_0": GGMLQuantizationType.Q5_0}
STEPS = {"q8_0": 127, "q5_0": 16}
kinds = st.sampled_from(["q8_0", "q5_0"])
# no smaller than what has an inverse once it is a scale: there gguf divides by zero
numbers = st.floats(-1e4, 1e4, width=32).filter(lambda number: number == 0 or abs(number) > 1e-35)
rows = arrays.arrays(np.float32, st.tuples(st.integers(1, 3), st.sampled_from([32, 64])), elements=numbers)


@settings(max_examples=40)
@given(rows, kinds)
def test_blocks_are_those_of_gguf(values, kind):
    packed = quantise(values, kind)
    assert (packed == quantize(values, TYPES[kind])).all()
    assert (dequantise(packed, kind) == dequantize(packed, TYPES[kind])).all()


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("spread", [1e-6, 0.02, 300.0])
def test_many_blocks_are_those_of_gguf(kind, spread):
    """As many as go through in several pieces, and with the weights' halves and ties that f16 models have."""
    values = (np.random.default_rng(1).standard_normal((2080, 1024)) * spread).astype(np.float16).astype(np.float32)
    packed = quantise(values, kind)
    assert (packed == quantize(values, TYPES[kind])).all()
    assert (dequantise(packed, kind) == dequantize(packed, TYPES[kind])).all()


@settings(max_examples=40)
@given(rows, kinds)
def test_no_number_moves_further_than_a_step(values, kind):
    blocks = np.abs(values.reshape(-1, 32))
    step = blocks.max(axis=1, keepdims=True) / STEPS[kind]
    moved = np.abs(dequantise(quantise(values, kind), kind) - values).reshape(-1, 32)
    assert (moved <= step * 1.01 + 32 * 2.0**-24).all()  # the scale itself is an f16, and the smallest of those is coarse


@settings(max_examples=40)
@given(rows, kinds)
def test_what_was_rounded_once_is_not_rounded_again(values, kind):
    numbers = dequantise(quantise(values, kind), kind)
    assert (dequantise(quantise(numbers, kind), kind) == numbers).all()


@pytest.mark.parametrize("kind", TYPES)
def test_nothing_stays_nothing(kind):
    values = np.zeros((2, 64), np.float32)
    values[1, 40] = 1e-44  # has no inverse
    assert (dequantise(quantise(values, kind), kind) == 0).all()


@settings(max_examples=20)
@given(st.integers(0, 5), kinds, st.data())
def test_any_blocks_are_numbers(count, kind, data):
    packed = data.draw(arrays.arrays(np.uint8, (count, KINDS[kind].size)))
    assert dequantise(packed, kind).shape == (count, 32)
