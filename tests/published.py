"""A model that is published as people publish them, and what a pull of it leaves."""

from __future__ import annotations

from pathlib import Path

from trax.models.ggml.file import read

FILE = "ggml-own.bin"
FOLDER = "/someone/own/resolve/main"
MODEL = f"{FOLDER}/{FILE}"
PARTS = ("config.json", "vocab.json", "model.safetensors")
INSTALLED = {"own/card.json", "own/model.bin", ".downloads/own.lock"}


def left(state_models: Path) -> set[str]:
    """What lies in the folder of models."""
    return {str(path.relative_to(state_models)) for path in state_models.rglob("*") if path.is_file()} - {".lock"}


def weights(path: Path) -> dict[str, bytes]:
    return {name: tensor.data.tobytes() for name, tensor in read(path).tensors.items()}
