"""Safetensors files without the frameworks: where each tensor lies, and its numbers.

The format: https://github.com/huggingface/safetensors#format. The library of that name gives numpy no bfloat16, in which many models come.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trax.errors import ModelError

_LENGTH = struct.Struct("<Q")
_LONGEST_HEADER = 100_000_000  # bytes; the format's own limit
_TYPES: dict[str, np.dtype[Any]] = {"F64": np.dtype("<f8"), "F32": np.dtype("<f4"), "F16": np.dtype("<f2"), "BF16": np.dtype("<u2")}
_ADVICE = "Download it again."


@dataclass(frozen=True, slots=True)
class Stored:
    """A tensor in a file."""

    file: Path
    dtype: str
    shape: tuple[int, ...]
    offset: int

    def load(self) -> NDArray[Any]:
        """Its numbers as floats of 16, 32 or 64 bits; bfloat16 comes as float32. Raises ModelError when the file has changed."""
        try:
            data: NDArray[Any] = np.fromfile(self.file, _TYPES[self.dtype], math.prod(self.shape), offset=self.offset).reshape(self.shape)
        except (OSError, ValueError) as error:
            raise ModelError(f"The file cannot be read: {error}.", file=str(self.file), advice=_ADVICE) from error
        if self.dtype == "BF16":  # the upper half of a float32
            data = (data.astype("<u4") << 16).view("<f4")
        return data


def stored_in(file: Path) -> dict[str, Stored]:
    """The tensors in a file, by name.

    Raises ModelError, which names the file, when it cannot be read, is not a safetensors file, is cut short, or holds numbers other than
    floats of 16, 32 or 64 bits.
    """
    try:
        size = file.stat().st_size
        with file.open("rb") as handle:
            start = handle.read(_LENGTH.size)
            length = _LENGTH.unpack(start)[0] if len(start) == _LENGTH.size else 0
            text = handle.read(length) if 0 < length <= min(_LONGEST_HEADER, size) else b""
    except OSError as error:
        raise ModelError(f"The file cannot be read: {error.strerror}.", file=str(file)) from error
    try:
        header = json.loads(text)
        entries = {name: entry for name, entry in header.items() if name != "__metadata__"}
        return {name: _stored(file, entry, _LENGTH.size + length, size) for name, entry in entries.items()}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ModelError("This is not a whole safetensors file.", file=str(file), advice=_ADVICE) from error


def _stored(file: Path, entry: Mapping[str, Any], start: int, size: int) -> Stored:
    dtype, shape = entry["dtype"], tuple(int(number) for number in entry["shape"])
    first, last = (int(number) for number in entry["data_offsets"])
    if dtype not in _TYPES:
        raise ModelError(f"Its weights are of type {dtype}, not floats of 16, 32 or 64 bits.", file=str(file))
    if min(shape, default=1) < 0 or first < 0 or last - first != math.prod(shape) * _TYPES[dtype].itemsize:
        raise ValueError("lengths that contradict each other")
    if start + last > size:
        raise ModelError("The file is cut short.", file=str(file), advice=_ADVICE)
    return Stored(file, dtype, shape, start + first)
