"""Whether a Whisper ggml file is whole, without loading it: whisper.cpp reads past a missing end, and a damaged model must not be run."""

from __future__ import annotations

import math
import stat
import struct
from pathlib import Path
from typing import IO

from trax.errors import ModelError
from trax.models.ggml_header import HEADER_SIZE, WhisperHeader, parse_header

#: ggml's tensor types: (weights in a block, bytes of a block).
_BLOCKS = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34),
    10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210),
}
_MOST_DIMENSIONS = 4
_LONGEST_NAME = 256
_LONGEST_TOKEN = 1024
_INT = struct.Struct("<i")
_ADVICE = "Download the model again and add it with `trax-ctl models add`."


def check_whole(path: Path) -> WhisperHeader:
    """Walk through a Whisper ggml file from its header to its last tensor.

    Raises ModelError, which names the file, when it is missing, not a Whisper model, cut short, or inconsistent in its lengths.
    """
    try:
        size = _size(path)
        with path.open("rb") as file:
            header = parse_header(file.read(HEADER_SIZE))
            _skip_filters(file)
            _skip_vocabulary(file)
            _skip_tensors(file, header, size)
    except OSError as error:
        advice = "Check the path and its permissions."
        raise ModelError(f"The model cannot be read: {error.strerror}.", file=str(path), advice=advice) from error
    except ModelError as error:
        raise ModelError(error.what, file=str(path), advice=error.advice) from error
    return header


def _size(path: Path) -> int:
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for whoever writes to it
        raise ModelError("This is not a regular file.", advice="Name the model file itself.")
    return status.st_size


def _skip_filters(file: IO[bytes]) -> None:
    bands, bins = _number(file, 80, 128), _number(file, 1, 4096)
    file.seek(bands * bins * 4, 1)


def _skip_vocabulary(file: IO[bytes]) -> None:
    for _ in range(_number(file, 0, 1 << 20)):
        length = _number(file, 0, _LONGEST_TOKEN)
        if len(file.read(length)) != length:
            raise _cut_short()


def _skip_tensors(file: IO[bytes], header: WhisperHeader, size: int) -> None:
    count = 0
    while file.tell() < size:
        _skip_tensor(file, size)
        count += 1
    if count < header.tensors:  # whisper.cpp takes a file without any for an empty model, and runs it
        raise _cut_short()


def _skip_tensor(file: IO[bytes], size: int) -> None:
    dimensions, name, kind = _number(file, 1, _MOST_DIMENSIONS), _number(file, 1, _LONGEST_NAME), _number(file, 0, max(_BLOCKS))
    if kind not in _BLOCKS:
        raise ModelError(f"The file is damaged: it holds a tensor of unknown type {kind}.", advice=_ADVICE)
    weights = math.prod(_number(file, 1, 1 << 24) for _ in range(dimensions))
    block, block_bytes = _BLOCKS[kind]
    file.seek(name + weights // block * block_bytes, 1)
    if file.tell() > size:
        raise _cut_short()


def _number(file: IO[bytes], least: int, most: int) -> int:
    data = file.read(_INT.size)
    if len(data) != _INT.size:
        raise _cut_short()
    value: int = _INT.unpack(data)[0]
    if not least <= value <= most:
        raise ModelError(f"The file is damaged: {value} stands where {least} to {most} is expected.", advice=_ADVICE)
    return value


def _cut_short() -> ModelError:
    return ModelError("The model file is cut short.", advice=_ADVICE)
