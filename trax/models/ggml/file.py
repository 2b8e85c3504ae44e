"""Whisper ggml files, read and written. What is read and written again has the same bytes."""

from __future__ import annotations

import math
import struct
from functools import partial
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from trax import files
from trax.errors import ModelError
from trax.models.ggml.blocks import PLAIN
from trax.models.ggml.check import Place, contents
from trax.models.ggml.header import pack_header
from trax.models.ggml.kinds import KINDS, QUANTISED
from trax.models.ggml.model import GgmlModel, LazyTensors, Tensor

_INT = struct.Struct("<i")


def read(path: Path) -> GgmlModel:
    """The model in a file, whose tensors are read each time they are asked for: the file must not change meanwhile.

    Raises ModelError, which names the file, when it is not a whole Whisper model or its weights are of a kind that is not read here.
    """
    found = contents(path)
    unread = {place.kind.name for place in found.tensors} - {*PLAIN, *QUANTISED}
    if unread:
        advice = f"Take the model as {', '.join([*PLAIN, *QUANTISED])}."
        raise ModelError(f"Weights stored as {', '.join(sorted(unread))} cannot be read.", file=str(path), advice=advice)
    filters = _bytes(path, found.filters_offset, math.prod(found.filters) * 4).view("<f4").reshape(found.filters)
    makers = {place.name: partial(_tensor, path, place) for place in found.tensors}
    return GgmlModel(found.header, filters, found.vocabulary, LazyTensors(makers))


def write(model: GgmlModel, path: Path) -> None:
    """Write a model, durably; the file appears whole or not at all. One tensor at a time is asked for and let go.

    Raises StorageError when the disk refuses (DiskFull: for lack of room), and what making a tensor raises.
    """
    with files.replacing(path) as file:
        file.write(pack_header(model.header))
        file.write(struct.pack("<2i", *model.filters.shape))
        file.write(np.ascontiguousarray(model.filters, "<f4").data)
        file.write(_INT.pack(len(model.vocabulary)))
        for token in model.vocabulary:
            file.write(_INT.pack(len(token)) + token)
        for name in model.tensors:
            _write_tensor(file, model.tensors[name])


def _tensor(path: Path, place: Place) -> Tensor:
    data = _bytes(path, place.offset, place.size)
    kind, shape = place.kind.name, place.shape
    if kind in PLAIN:
        return Tensor(place.name, kind, shape, data.view(PLAIN[kind]).reshape(shape))
    return Tensor(place.name, kind, shape, data.reshape(*shape[:-1], -1))


def _bytes(path: Path, offset: int, count: int) -> NDArray[np.uint8]:
    """Read, not mapped: a file that is cut short meanwhile would kill the process that has mapped it."""
    try:
        data = np.fromfile(path, np.uint8, count, offset=offset)
    except OSError as error:
        raise ModelError(f"The model cannot be read: {error.strerror}.", file=str(path)) from error
    if len(data) < count:
        raise ModelError("The file changed while it was read.", file=str(path), advice="Try again when nobody writes to it.")
    return data


def _write_tensor(file: IO[bytes], tensor: Tensor) -> None:
    name = tensor.name.encode()
    file.write(struct.pack("<3i", len(tensor.shape), len(name), KINDS[tensor.kind].type))
    file.write(struct.pack(f"<{len(tensor.shape)}i", *reversed(tensor.shape)) + name)
    file.write(np.ascontiguousarray(tensor.data).data)
