"""Trax's models as its peers read them: the same weights, from a ggml file of an English Whisper model."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from peers.tokenizer import special_tokens, tokenizer
from trax.models.ggml.file import read, write
from trax.models.ggml.header import WhisperHeader
from trax.models.ggml.hugging_face import hugging_face_name
from trax.models.ggml.layout import FEED_FORWARD
from trax.models.ggml.model import GgmlModel
from trax.models.ggml.quantize import quantized


def to_f16(file: Path, target: Path) -> None:
    """Write a ggml file with f16 matrices, for the whisper.cpp of 2023, which knows none of today's quantised ones."""
    write(quantized(read(file), "f16"), target)


def to_hugging_face(file: Path, folder: Path) -> None:
    """Write a new folder as Hugging Face lays it out: the weights in model.safetensors, as float32, and the JSON files beside them.

    Raises ModelError when the file cannot be read, ValueError when it is not an English model.
    """
    model = read(file)
    if len(model.header.languages) > 1:
        raise ValueError(f"{file} is no English model")
    folder.mkdir(parents=True)
    for name, content in texts(model).items():
        (folder / name).write_text(json.dumps(content), encoding="utf-8")
    save_file(tensors(model), folder / "model.safetensors", {"format": "pt"})


def to_ctranslate2(folder: Path, target: Path, converter: Path) -> None:
    """Run CTranslate2's converter on a folder of Hugging Face's layout; int8. Raises CalledProcessError when it fails."""
    copied = ("tokenizer.json", "preprocessor_config.json")
    command: list[str | Path] = [converter, "--model", folder, "--output_dir", target, "--quantization", "int8", "--copy_files", *copied]
    subprocess.run(command, check=True, capture_output=True, text=True)


def tensors(model: GgmlModel) -> dict[str, NDArray[np.float32]]:
    """Every tensor by the name it has at Hugging Face. There, biases of convolutions have one dimension."""
    named = {f"model.{hugging_face_name(name)}": model.tensors[name].values() for name in model.tensors}
    return {name: np.ascontiguousarray(values.reshape(-1) if name.endswith(".bias") else values) for name, values in named.items()}


def texts(model: GgmlModel) -> dict[str, dict[str, Any]]:
    """The JSON files by their names."""
    special = {token: number for number, token in enumerate(special_tokens(), start=len(model.vocabulary))}
    return {
        "config.json": _config(model.header, special),
        "generation_config.json": _generation(model.header, special),
        "preprocessor_config.json": {"feature_extractor_type": "WhisperFeatureExtractor", "feature_size": model.header.mels},
        "tokenizer.json": tokenizer(model.vocabulary),
        "tokenizer_config.json": {
            "tokenizer_class": "WhisperTokenizer",
            **dict.fromkeys(("bos_token", "eos_token", "unk_token", "pad_token"), "<|endoftext|>"),
            "additional_special_tokens": [token for token in special if not token[2].isdigit()],
        },
    }


def _marks(special: dict[str, int]) -> dict[str, int]:
    end = special["<|endoftext|>"]
    return {
        "bos_token_id": end,
        "eos_token_id": end,
        "pad_token_id": end,
        "decoder_start_token_id": special["<|startoftranscript|>"],
    }


def _config(header: WhisperHeader, special: dict[str, int]) -> dict[str, Any]:
    return {
        "architectures": ["WhisperForConditionalGeneration"],
        "model_type": "whisper",
        "activation_function": "gelu",
        "d_model": header.audio_width,
        "encoder_attention_heads": header.audio_heads,
        "encoder_layers": header.audio_layers,
        "encoder_ffn_dim": FEED_FORWARD * header.audio_width,
        "decoder_attention_heads": header.text_heads,
        "decoder_layers": header.text_layers,
        "decoder_ffn_dim": FEED_FORWARD * header.text_width,
        "max_source_positions": header.audio_context,
        "max_target_positions": header.text_context,
        "num_mel_bins": header.mels,
        "scale_embedding": False,
        "vocab_size": header.vocabulary,
        "torch_dtype": "float32",
        **_marks(special),
    }


def _generation(header: WhisperHeader, special: dict[str, int]) -> dict[str, Any]:
    tasks = ("<|startoftranscript|>", "<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>", "<|nocaptions|>")
    layers = range(header.text_layers // 2, header.text_layers)
    return {
        **_marks(special),
        "is_multilingual": False,
        "max_length": header.text_context,
        "max_initial_timestamp_index": 50,
        "no_timestamps_token_id": special["<|notimestamps|>"],
        "prev_sot_token_id": special["<|startofprev|>"],
        "return_timestamps": False,
        "suppress_tokens": [special[task] for task in tasks],
        "alignment_heads": [[layer, head] for layer in layers for head in range(header.text_heads)],
    }
