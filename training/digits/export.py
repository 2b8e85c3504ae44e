"""Make a model file of what was trained: `python -m training.digits.export WEIGHTS TOKENS OUT`. Needs no torch.

The row that stands for all words that were not trained is copied to each of them. TOKENS is GPT-2's vocabulary as the package
openai-whisper carries it (whisper/assets/gpt2.tiktoken).
"""

from __future__ import annotations

import argparse
import base64
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.digits.vocabulary import OTHER_ROW, ROW_TOKENS, SIZE
from trax.models.ggml.file import write
from trax.models.ggml.header import WhisperHeader
from trax.models.ggml.layout import Expected, layout
from trax.models.ggml.model import GgmlModel, LazyTensors, Tensor
from trax.models.ggml.quantize import quantized
from trax.models.mel import mel_filters

_HEAD_WIDTH = 64
_EMBEDDING = "decoder.token_embedding.weight"

Weights = Mapping[str, NDArray[np.float32]]


def model_of(weights: Weights, tokens: tuple[bytes, ...]) -> GgmlModel:
    """The model (f16) of a network's weights by name."""
    audio_context, width = weights["encoder.positional_embedding"].shape
    header = WhisperHeader(
        vocabulary=SIZE,
        audio_context=audio_context,
        audio_width=width,
        audio_heads=width // _HEAD_WIDTH,
        audio_layers=_layers(weights, "encoder"),
        text_context=len(weights["decoder.positional_embedding"]),
        text_width=width,
        text_heads=width // _HEAD_WIDTH,
        text_layers=_layers(weights, "decoder"),
        mels=weights["encoder.conv1.weight"].shape[1],
        weights="f16",
    )
    tensors = LazyTensors({expected.name: partial(_tensor, weights, expected) for expected in layout(header)})
    return GgmlModel(header, mel_filters(header.mels), tokens, tensors)


def gpt2_tokens(file: Path) -> tuple[bytes, ...]:
    """The tokens of a .tiktoken file, in order."""
    ranked = (line.split() for line in file.read_bytes().splitlines() if line)
    return tuple(token for _, token in sorted((int(rank), base64.b64decode(token)) for token, rank in ranked))


def _layers(weights: Weights, part: str) -> int:
    return 1 + max(int(name.split(".")[2]) for name in weights if name.startswith(f"{part}.blocks."))


def _tensor(weights: Weights, expected: Expected) -> Tensor:
    numbers = _every_row(weights[expected.name]) if expected.name == _EMBEDDING else weights[expected.name]
    return Tensor.of(expected.name, numbers.reshape(expected.shape), expected.kind)


def _every_row(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    embedding = np.tile(rows[OTHER_ROW], (SIZE, 1))
    embedding[list(ROW_TOKENS)] = rows[:OTHER_ROW]
    return embedding


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", type=Path, help="weights.npz of a training run")
    parser.add_argument("tokens", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--kind", default="q8_0", help="f16, q8_0 or q5_0")
    options = parser.parse_args()
    with np.load(options.weights) as kept:
        model = model_of(dict(kept), gpt2_tokens(options.tokens))
    write(quantized(model, options.kind), options.out.absolute())


if __name__ == "__main__":
    main()
