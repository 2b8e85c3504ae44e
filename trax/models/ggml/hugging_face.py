"""Whisper models as Hugging Face keeps them (openai/whisper-*, distil-whisper/*), made into ggml files without PyTorch.

The names are those of `WhisperForConditionalGeneration` in the library transformers; the result is what whisper.cpp's own
models/convert-h5-to-ggml.py makes, but for small tensors, which keep all their digits.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from trax.errors import ModelError
from trax.models.ggml.header import WhisperHeader, pack_header, parse_header
from trax.models.ggml.layout import FEED_FORWARD, Expected, layout
from trax.models.ggml.model import GgmlModel, LazyTensors, Tensor
from trax.models.ggml.safetensors import Stored, stored_in
from trax.models.ggml.vocabulary import decoded
from trax.models.mel import mel_filters

_WEIGHTS = "model.safetensors"
_SHARDS = "model.safetensors.index.json"
_ADVICE = "Take a folder of openai/whisper-… or distil-whisper/…, with config.json, model.safetensors and vocab.json."

#: Parts of a layer, in ggml and at Hugging Face.
_PARTS = {
    "attn.query": "self_attn.q_proj",
    "attn.key": "self_attn.k_proj",
    "attn.value": "self_attn.v_proj",
    "attn.out": "self_attn.out_proj",
    "attn_ln": "self_attn_layer_norm",
    "cross_attn.query": "encoder_attn.q_proj",
    "cross_attn.key": "encoder_attn.k_proj",
    "cross_attn.value": "encoder_attn.v_proj",
    "cross_attn.out": "encoder_attn.out_proj",
    "cross_attn_ln": "encoder_attn_layer_norm",
    "mlp.0": "fc1",
    "mlp.2": "fc2",
    "mlp_ln": "final_layer_norm",
}
#: What belongs to no layer. The convolutions are called the same.
_OTHERS = {
    "encoder.positional_embedding": "encoder.embed_positions.weight",
    "encoder.ln_post.weight": "encoder.layer_norm.weight",
    "encoder.ln_post.bias": "encoder.layer_norm.bias",
    "decoder.positional_embedding": "decoder.embed_positions.weight",
    "decoder.token_embedding.weight": "decoder.embed_tokens.weight",
    "decoder.ln.weight": "decoder.layer_norm.weight",
    "decoder.ln.bias": "decoder.layer_norm.bias",
}
_PREFIX = "model."
_OUTPUT, _EMBEDDING = "proj_out.weight", "decoder.embed_tokens.weight"


def converted(folder: Path) -> GgmlModel:
    """The Whisper model in a folder as Hugging Face lays it out, with f16 matrices; its tensors are read when they are asked for.

    The folder holds config.json, the vocabulary (vocab.json or tokenizer.json), and model.safetensors or the index of its shards.

    Raises ModelError, which names the file, when something is missing, damaged, or not a Whisper model that whisper.cpp can run.
    """
    config = _json(folder / "config.json")
    header = _header(config, folder / "config.json")
    found = {name.removeprefix(_PREFIX): stored for name, stored in _stored(folder).items()}
    if config.get("tie_word_embeddings") is False:
        _check_tied(found)
    expected = layout(header)
    for tensor in expected:
        _check_shape(tensor, found, folder)
    makers = {tensor.name: partial(_tensor, tensor, found[hugging_face_name(tensor.name)]) for tensor in expected}
    return GgmlModel(header, mel_filters(header.mels), _vocabulary(folder, header), LazyTensors(makers))


def hugging_face_name(name: str) -> str:
    """What Hugging Face calls the tensor that is called `name` in ggml, without the "model." in front."""
    if ".blocks." not in name:
        return _OTHERS.get(name, name)
    side, _, layer, rest = name.split(".", 3)
    part, _, end = rest.rpartition(".")
    return f"{side}.layers.{layer}.{_PARTS[part]}.{end}"


def _header(config: Mapping[str, Any], file: Path) -> WhisperHeader:
    """The dimensions. What whisper.cpp takes for granted must be as it takes it."""
    granted = {
        "model_type": "whisper",
        "activation_function": "gelu",
        "scale_embedding": False,
        "encoder_ffn_dim": FEED_FORWARD * _number(config, "d_model", file),
        "decoder_ffn_dim": FEED_FORWARD * _number(config, "d_model", file),
    }
    for name, value in granted.items():
        if config.get(name, value) != value or (name == "model_type" and name not in config):
            what = f"This is not a Whisper model that whisper.cpp can run: its {name} is {config.get(name)!r}, not {value!r}."
            raise ModelError(what, file=str(file), advice=_ADVICE)
    number = partial(_number, config, file=file)
    width = number("d_model")
    header = WhisperHeader(
        vocabulary=number("vocab_size"),
        audio_context=number("max_source_positions"),
        audio_width=width,
        audio_heads=number("encoder_attention_heads"),
        audio_layers=number("encoder_layers"),
        text_context=number("max_target_positions"),
        text_width=width,
        text_heads=number("decoder_attention_heads"),
        text_layers=number("decoder_layers"),
        mels=number("num_mel_bins"),
        weights="f16",
    )
    try:
        return parse_header(pack_header(header))
    except ModelError as error:
        raise ModelError(error.what, file=str(file), advice=_ADVICE) from error


def _number(config: Mapping[str, Any], name: str, file: Path) -> int:
    value = config.get(name)
    if type(value) is not int or not 0 <= value < 1 << 31:
        raise ModelError(f"This is not the configuration of a Whisper model: its {name} is {value!r}.", file=str(file), advice=_ADVICE)
    return value


def files_of(folder: Path) -> tuple[Path, ...]:
    """The files that `converted` reads, the configuration first. Raises ModelError as it does."""
    index = [folder / _SHARDS] if _is_in_shards(folder) else []
    return (folder / "config.json", _tokens(folder)[0], *index, *_weights(folder))


def _is_in_shards(folder: Path) -> bool:
    return not (folder / _WEIGHTS).exists() and (folder / _SHARDS).exists()


def _weights(folder: Path) -> list[Path]:
    """The one file, or all shards."""
    if not _is_in_shards(folder):
        return [folder / _WEIGHTS]
    index = _json(folder / _SHARDS).get("weight_map")
    if not isinstance(index, dict) or not all(isinstance(shard, str) and Path(shard).name == shard for shard in index.values()):
        raise ModelError("This is not an index of shards in the same folder.", file=str(folder / _SHARDS), advice=_ADVICE)
    return [folder / shard for shard in sorted(set(index.values()))]


def _stored(folder: Path) -> dict[str, Stored]:
    return {name: stored for file in _weights(folder) for name, stored in stored_in(file).items()}


def _check_shape(tensor: Expected, found: Mapping[str, Stored], folder: Path) -> None:
    name = hugging_face_name(tensor.name)
    if name not in found:
        raise ModelError(f"The weights lack the tensor {_PREFIX}{name}.", file=str(folder), advice=_ADVICE)
    wanted = (tensor.shape[0],) if name.endswith(".bias") else tensor.shape  # ggml's biases of convolutions have a second dimension
    if found[name].shape != wanted:
        what = f"The tensor {_PREFIX}{name} has the shape {found[name].shape}, which does not fit config.json: {wanted} is expected."
        raise ModelError(what, file=str(found[name].file), advice=_ADVICE)


def _check_tied(found: Mapping[str, Stored]) -> None:
    """whisper.cpp reads the output from the embedding of the tokens."""
    if _OUTPUT in found and _EMBEDDING in found and not np.array_equal(found[_OUTPUT].load(), found[_EMBEDDING].load()):
        what = "The model's output has weights of its own (tie_word_embeddings is false): whisper.cpp cannot run it."
        raise ModelError(what, file=str(found[_OUTPUT].file), advice=_ADVICE)


def _tensor(tensor: Expected, stored: Stored) -> Tensor:
    try:
        return Tensor.of(tensor.name, stored.load().reshape(tensor.shape), tensor.kind)
    except ModelError as error:
        raise ModelError(error.what, file=str(stored.file), advice=error.advice) from error


def _tokens(folder: Path) -> tuple[Path, object]:
    """The vocabulary's numbers by its tokens' letters, and the file they are from: newer folders have them in tokenizer.json only."""
    file = folder / "vocab.json"
    if file.exists():
        return file, _json(file)
    file = folder / "tokenizer.json"
    model = _json(file).get("model")
    return file, model.get("vocab") if isinstance(model, dict) else None


def _vocabulary(folder: Path, header: WhisperHeader) -> tuple[bytes, ...]:
    file, tokens = _tokens(folder)
    if not isinstance(tokens, dict) or not all(type(number) is int for number in tokens.values()):
        raise ModelError("This is not Whisper's vocabulary.", file=str(file), advice=_ADVICE)
    try:
        return decoded(tokens, header.words)
    except ModelError as error:
        raise ModelError(error.what, file=str(file), advice=_ADVICE) from error


def _json(file: Path) -> dict[str, Any]:
    try:
        value = json.loads(file.read_bytes())
    except OSError as error:
        raise ModelError(f"The file cannot be read: {error.strerror}.", file=str(file), advice=_ADVICE) from error
    except (ValueError, RecursionError) as error:
        raise ModelError("This is not a whole JSON file.", file=str(file), advice=_ADVICE) from error
    if not isinstance(value, dict):
        raise ModelError("This is not what stands in such a file at Hugging Face.", file=str(file), advice=_ADVICE)
    return value
