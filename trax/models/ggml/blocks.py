"""Numbers in ggml's blocks: 32 that share a scale.

The layouts and the rounding are those of ggml's reference quantisers, `quantize_row_q8_0_ref` and `quantize_row_q5_0_ref` in ggml-quants.c.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trax.models.ggml.kinds import KINDS

Numbers = NDArray[np.float32]
Bytes = NDArray[np.uint8]

_BLOCK = 32
_SCALE = 2  # bytes: an f16
_Q5_HIGH = 4  # bytes: the fifth bits
_SMALLEST = np.finfo(np.float32).tiny  # of those whose inverse is a float32 too
_CHUNK = 1 << 16  # blocks at a time: what is computed meanwhile needs several times the room

#: The kinds of plain numbers, as numpy knows them.
PLAIN: dict[str, np.dtype[Any]] = {"f32": np.dtype("<f4"), "f16": np.dtype("<f2")}
_LARGEST_HALF = float(np.finfo(np.float16).max)
#: The largest numbers they hold; a block's is its scale times the steps.
LARGEST = {"f32": float(np.finfo(np.float32).max), "f16": _LARGEST_HALF, "q8_0": 127 * _LARGEST_HALF, "q5_0": 16 * _LARGEST_HALF}


def quantise(numbers: NDArray[Any], kind: str) -> Bytes:
    """Pack numbers of shape (…, n), n a multiple of 32, into blocks of shape (…, n / 32 × bytes of a block)."""
    size = KINDS[kind].size
    rows = numbers.reshape(-1, _BLOCK)
    packed = np.empty((len(rows), size), np.uint8)
    pack = _to_q8_0 if kind == "q8_0" else _to_q5_0
    for start in range(0, len(rows), _CHUNK):
        packed[start : start + _CHUNK] = pack(rows[start : start + _CHUNK].astype(np.float32))
    return packed.reshape(*numbers.shape[:-1], numbers.shape[-1] // _BLOCK * size)


def dequantise(packed: Bytes, kind: str) -> Numbers:
    """The numbers of shape (…, n) that blocks of shape (…, n / 32 × bytes of a block) stand for."""
    size = KINDS[kind].size
    blocks = packed.reshape(-1, size)
    numbers = np.empty((len(blocks), _BLOCK), np.float32)
    unpack = _from_q8_0 if kind == "q8_0" else _from_q5_0
    for start in range(0, len(blocks), _CHUNK):
        numbers[start : start + _CHUNK] = unpack(blocks[start : start + _CHUNK])
    return numbers.reshape(*packed.shape[:-1], packed.shape[-1] // size * _BLOCK)


def _to_q8_0(numbers: Numbers) -> Bytes:
    scale = np.abs(numbers).max(axis=1, keepdims=True) / np.float32(127)
    steps = _rounded(numbers * _inverse(scale)).astype(np.int8)
    return np.concatenate([_half(scale), steps.view(np.uint8)], axis=1)


def _from_q8_0(blocks: Bytes) -> Numbers:
    return blocks[:, _SCALE:].view(np.int8).astype(np.float32) * _scale(blocks)


def _to_q5_0(numbers: Numbers) -> Bytes:
    """The number farthest from zero becomes step 0, zero step 16. The steps' low four bits lie in pairs, the fifth bits together."""
    farthest = np.take_along_axis(numbers, np.abs(numbers).argmax(axis=1, keepdims=True), axis=1)
    scale = farthest / np.float32(-16)
    steps = np.minimum(numbers * _inverse(scale) + np.float32(16.5), 31).astype(np.uint8)
    low = (steps[:, :16] & 15) | (steps[:, 16:] << 4)
    return np.concatenate([_half(scale), np.packbits(steps >> 4, axis=1, bitorder="little"), low], axis=1)


def _from_q5_0(blocks: Bytes) -> Numbers:
    high = np.unpackbits(blocks[:, _SCALE : _SCALE + _Q5_HIGH], axis=1, bitorder="little")
    pairs = blocks[:, _SCALE + _Q5_HIGH :]
    steps = np.concatenate([pairs & 15, pairs >> 4], axis=1) | (high << 4)
    centred: Numbers = steps.astype(np.float32) - 16
    return centred * _scale(blocks)


def _rounded(numbers: Numbers) -> Numbers:
    """To the nearest whole number, halves away from zero as in C; `numpy.round` takes them to the even one."""
    whole: Numbers = np.trunc(numbers)
    whole += np.trunc(2 * (numbers - whole))
    return whole


def _inverse(scale: Numbers) -> Numbers:
    """Zero where there is none: for a block of zeros, or of numbers so small that their scale vanishes as an f16 anyhow."""
    inverse = np.zeros_like(scale)
    np.divide(np.float32(1), scale, out=inverse, where=np.abs(scale) >= _SMALLEST)
    return inverse


def _half(scale: Numbers) -> Bytes:
    return scale.astype("<f2").view(np.uint8)


def _scale(blocks: Bytes) -> Numbers:
    return np.ascontiguousarray(blocks[:, :_SCALE]).view("<f2").astype(np.float32)
