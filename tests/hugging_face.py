"""Writes folders as Hugging Face lays them out, of models whose ggml files are known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from trax.models.ggml.model import GgmlModel, Tensor

THEIRS = {
    ".blocks.": ".layers.",
    ".attn_ln.": ".self_attn_layer_norm.",
    ".cross_attn_ln.": ".encoder_attn_layer_norm.",
    ".mlp_ln.": ".final_layer_norm.",
    ".attn.": ".self_attn.",
    ".cross_attn.": ".encoder_attn.",
    ".query.": ".q_proj.",
    ".key.": ".k_proj.",
    ".value.": ".v_proj.",
    ".out.": ".out_proj.",
    ".mlp.0.": ".fc1.",
    ".mlp.2.": ".fc2.",
    ".positional_embedding": ".embed_positions.weight",
    ".token_embedding.": ".embed_tokens.",
    ".ln_post.": ".layer_norm.",
    ".ln.": ".layer_norm.",
}


def their_name(name: str) -> str:
    for ours, theirs in THEIRS.items():
        name = name.replace(ours, theirs)
    return f"model.{name}"


def their_numbers(tensor: Tensor) -> np.ndarray:
    numbers = tensor.values()
    return numbers[:, 0].copy() if ".conv" in tensor.name and tensor.name.endswith("bias") else numbers


def letters() -> dict[int, str]:
    """GPT-2's letters of the bytes: the first 256 printable characters, those of the others pushed up."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {byte: chr(256 + place) for place, byte in enumerate(others)}


def lay_out(model: GgmlModel, folder: Path) -> dict[str, np.ndarray]:
    """Write the folder but for its weights, which are returned."""
    folder.mkdir()
    header = model.header
    config = {
        "model_type": "whisper",
        "activation_function": "gelu",
        "scale_embedding": False,
        "vocab_size": header.vocabulary,
        "d_model": header.audio_width,
        "num_mel_bins": header.mels,
        "max_source_positions": header.audio_context,
        "max_target_positions": header.text_context,
        "encoder_layers": header.audio_layers,
        "encoder_attention_heads": header.audio_heads,
        "encoder_ffn_dim": 4 * header.audio_width,
        "decoder_layers": header.text_layers,
        "decoder_attention_heads": header.text_heads,
        "decoder_ffn_dim": 4 * header.audio_width,
    }
    (folder / "config.json").write_text(json.dumps(config))
    letter = letters()
    words = {"".join(letter[byte] for byte in word): number for number, word in enumerate(model.vocabulary)}
    (folder / "vocab.json").write_text(json.dumps(words | {"<|endoftext|>": len(model.vocabulary)}))
    return {their_name(name): their_numbers(tensor) for name, tensor in model.tensors.items()}
