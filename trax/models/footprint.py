"""What a model will take of a process's memory, told before it is loaded. Pure."""

from __future__ import annotations

import math

from trax.models.model import Model

#: Whisper's buffers and caches, bytes: they grow with the width of the model, which goes with the root of its parameters. By what
#: whisper.cpp takes in a pass beside the weights (8.6, 37 and 72 million parameters: 62, 141 and 186 MiB); with the weights of
#: small.en, medium.en and large-v3 it comes within 3 % of whisper.cpp's own table of memory usage.
_WHISPER_BUFFERS = 23 << 20
#: Of the other engines, bytes: what comes with the first model (ONNX Runtime itself), and how many bytes of memory one of a file becomes.
_OTHERS, _OTHERS_PER_BYTE = 24 << 20, 3


def footprint(model: Model) -> int:
    """The bytes that `model` will take when it is loaded and has been used, rather too many than too few.

    The figures that are published (`memory_mb`) are of whole processes and of weights that were not quantised: they are only for people.
    """
    parameters = model.settings.get("parameters")
    if model.engine != "whisper":
        grown = 4 * parameters if model.settings.get("weights") == "int8" and isinstance(parameters, int) else 0  # float32 once loaded
        return _OTHERS + _OTHERS_PER_BYTE * max(model.size, grown)
    millions = (parameters if isinstance(parameters, int) else model.size) / 1e6
    return model.size + int(_WHISPER_BUFFERS * math.sqrt(max(0.0, millions)))
