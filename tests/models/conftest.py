from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import pytest

WriteGgml = Callable[..., Path]

#: The dimensions of the smallest file that passes for a Whisper model, in the order of its header.
SMALL = {
    "magic": 0x67676D6C,
    "vocabulary": 51864,
    "audio_context": 1500,
    "audio_width": 2,
    "audio_heads": 1,
    "audio_layers": 1,
    "text_context": 448,
    "text_width": 2,
    "text_heads": 1,
    "text_layers": 1,
    "mels": 80,
    "ftype": 2007,
}
SMALL_SIZE = 120_000


@pytest.fixture
def write_ggml(tmp_path: Path) -> WriteGgml:
    """A function that writes a file with a Whisper header and bytes in place of weights: `write_ggml(name, size=…, **dimensions)`."""

    def write(name: str = "ggml-own.bin", size: int = SMALL_SIZE, **dimensions: int) -> Path:
        path = tmp_path / name
        header = struct.pack("<I11i", *(SMALL | dimensions).values())
        path.write_bytes(header + bytes(size - len(header)))
        return path

    return write


@pytest.fixture
def state_models(tmp_path: Path) -> Path:
    """Where added models go; it does not exist yet."""
    return tmp_path / "state" / "models"
