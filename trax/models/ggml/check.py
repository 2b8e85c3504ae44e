"""Whether a Whisper ggml file is whole, and where its parts lie, without loading it.

whisper.cpp reads past a missing end, and a damaged model must not be run.
"""

from __future__ import annotations

import math
import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from trax.errors import ModelError
from trax.models.ggml.header import HEADER_SIZE, WhisperHeader, parse_header
from trax.models.ggml.kinds import KINDS, Kind
from trax.models.ggml.layout import layout

_KINDS = {kind.type: kind for kind in KINDS.values()}
_FILTER = 4  # bytes: an f32
_MOST_DIMENSIONS = 4
_LONGEST_NAME = 256
_LONGEST_TOKEN = 1024
_INT = struct.Struct("<i")
_ADVICE = "Download the model again: the file is damaged, or its download is not complete."


@dataclass(frozen=True, slots=True)
class Place:
    """Where a tensor's data lie in the file. `shape` counts as numpy does, the fastest dimension last."""

    name: str
    kind: Kind
    shape: tuple[int, ...]
    offset: int

    @property
    def size(self) -> int:
        """Bytes."""
        return math.prod(self.shape) // self.kind.numbers * self.kind.size


@dataclass(frozen=True, slots=True)
class Contents:
    """What is in a file: its header, where the mel filters of shape `filters` lie, the bytes of the tokens, and where the tensors lie."""

    header: WhisperHeader
    filters: tuple[int, int]
    filters_offset: int
    vocabulary: tuple[bytes, ...]
    tensors: tuple[Place, ...]


def check_whole(path: Path) -> WhisperHeader:
    """Whether whisper.cpp can run a Whisper ggml file; returns its header.

    Raises ModelError as `contents` does, and when its numbers are stored otherwise than whisper.cpp takes them: at some it ends the
    process that loads or runs it.
    """
    found = contents(path)
    if found.header.weights == "f32":
        raise ModelError("whisper.cpp cannot run a model of 32-bit weights.", file=str(path), advice="Take the same model as f16 or q8_0.")
    kinds = {place.name: place.kind.name for place in found.tensors}
    for tensor in layout(found.header):
        if kinds[tensor.name] != tensor.kind:
            what = f"The file is damaged: the tensor {tensor.name} is stored as {kinds[tensor.name]}, expected is {tensor.kind}."
            raise ModelError(what, file=str(path), advice=_ADVICE)
    return found.header


def contents(path: Path) -> Contents:
    """Walk through a Whisper ggml file from its header to its last tensor.

    Raises ModelError, which names the file, when it is missing, not a Whisper model, cut short, or inconsistent in its lengths.
    """
    try:
        size = _size(path)
        with path.open("rb") as file:
            header = parse_header(file.read(HEADER_SIZE))
            filters = _number(file, 80, 128), _number(file, 1, 4096)
            offset = file.tell()
            file.seek(math.prod(filters) * _FILTER, 1)
            vocabulary = tuple(_tokens(file))
            found = tuple(tensors(file, size))
            _check_tensors(header, found)
            return Contents(header, filters, offset, vocabulary, found)
    except OSError as error:
        advice = "Check the path and its permissions."
        raise ModelError(f"The model cannot be read: {error.strerror}.", file=str(path), advice=advice) from error
    except ModelError as error:
        raise ModelError(error.what, file=str(path), advice=error.advice) from error


def _size(path: Path) -> int:
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for whoever writes to it
        raise ModelError("This is not a regular file.", advice="Name the model file itself.")
    return status.st_size


def _tokens(file: IO[bytes]) -> Iterator[bytes]:
    for _ in range(_number(file, 0, 1 << 20)):
        yield _exactly(file, _number(file, 0, _LONGEST_TOKEN))


def tensors(file: IO[bytes], size: int) -> Iterator[Place]:
    """Walk through the tensors from where `file` stands to its end at `size`. Raises ModelError when it is cut short or damaged."""
    while file.tell() < size:
        place = _tensor(file)
        file.seek(place.size, 1)
        if file.tell() > size:
            raise _cut_short()
        yield place


def _check_tensors(header: WhisperHeader, found: tuple[Place, ...]) -> None:
    shapes = {place.name: place.shape for place in found}
    expected = layout(header)
    for name, shape, _ in expected:
        if name not in shapes:  # whisper.cpp takes a file without any for an empty model, and runs it
            raise _cut_short()
        if shapes[name] != shape:
            raise ModelError(f"The file is damaged: the tensor {name} has the shape {shapes[name]}, expected is {shape}.", advice=_ADVICE)
    if len(found) > len(expected):
        raise ModelError("The file is damaged: it holds more tensors than a Whisper model.", advice=_ADVICE)


def _tensor(file: IO[bytes]) -> Place:
    dimensions, name, number = _number(file, 0, _MOST_DIMENSIONS), _number(file, 1, _LONGEST_NAME), _number(file, 0, max(_KINDS))
    if number not in _KINDS:
        raise ModelError(f"The file is damaged: it holds a tensor of unknown type {number}.", advice=_ADVICE)
    shape = tuple(_number(file, 1, 1 << 24) for _ in range(dimensions))[::-1]
    row = shape[-1] if shape else 1
    if row % _KINDS[number].numbers:
        raise ModelError(f"The file is damaged: it holds a tensor whose rows of {row} are not whole blocks.", advice=_ADVICE)
    return Place(_exactly(file, name).decode(errors="replace"), _KINDS[number], shape, file.tell())


def _number(file: IO[bytes], least: int, most: int) -> int:
    value: int = _INT.unpack(_exactly(file, _INT.size))[0]
    if not least <= value <= most:
        raise ModelError(f"The file is damaged: {value} stands where {least} to {most} is expected.", advice=_ADVICE)
    return value


def _exactly(file: IO[bytes], count: int) -> bytes:
    data = file.read(count)
    if len(data) != count:
        raise _cut_short()
    return data


def _cut_short() -> ModelError:
    return ModelError("The model file is cut short.", advice=_ADVICE)
