"""A Whisper model of the real format that the tests write themselves: tiny dimensions, random weights."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from trax.audio.pcm import SAMPLE_RATE, Pcm
from trax.models.model import Model

VOCABULARY = 51_864  # of the English models: 50,257 tokens of text and marks, and the time stamps
WIDTH, HEADS, ENCODER_LAYERS, DECODER_LAYERS, MELS, AUDIO_CONTEXT, TEXT_CONTEXT = 64, 2, 4, 3, 80, 1500, 448
F32, F16 = 0, 1


def _tensors() -> Iterator[tuple[str, tuple[int, ...], int]]:
    """Names, shapes as ggml counts them (fastest first) and types, as whisper.cpp expects them."""

    def norm(name: str) -> Iterator[tuple[str, tuple[int, ...], int]]:
        yield f"{name}.weight", (WIDTH,), F32
        yield f"{name}.bias", (WIDTH,), F32

    def linear(name: str, inward: int = WIDTH, outward: int = WIDTH, *, bias: bool = True) -> Iterator[tuple[str, tuple[int, ...], int]]:
        yield f"{name}.weight", (inward, outward), F16
        if bias:
            yield f"{name}.bias", (outward,), F32

    def attention(name: str) -> Iterator[tuple[str, tuple[int, ...], int]]:
        yield from norm(f"{name}_ln")
        for part in ("query", "key", "value", "out"):
            yield from linear(f"{name}.{part}", bias=part != "key")

    yield "encoder.positional_embedding", (WIDTH, AUDIO_CONTEXT), F32
    for number, inward in ((1, MELS), (2, WIDTH)):
        yield f"encoder.conv{number}.weight", (3, inward, WIDTH), F16
        yield f"encoder.conv{number}.bias", (1, WIDTH), F32
    yield from norm("encoder.ln_post")
    yield "decoder.positional_embedding", (WIDTH, TEXT_CONTEXT), F32
    yield "decoder.token_embedding.weight", (WIDTH, VOCABULARY), F16
    yield from norm("decoder.ln")
    for side, layers in (("encoder", ENCODER_LAYERS), ("decoder", DECODER_LAYERS)):
        for layer in range(layers):
            block = f"{side}.blocks.{layer}"
            yield from attention(f"{block}.attn")
            if side == "decoder":
                yield from attention(f"{block}.cross_attn")
            yield from norm(f"{block}.mlp_ln")
            yield from linear(f"{block}.mlp.0", WIDTH, 4 * WIDTH)
            yield from linear(f"{block}.mlp.2", 4 * WIDTH, WIDTH)


def write_ggml(path: Path) -> None:
    random = np.random.default_rng(5)
    with path.open("wb") as file:
        dimensions = (VOCABULARY, AUDIO_CONTEXT, WIDTH, HEADS, ENCODER_LAYERS, TEXT_CONTEXT, WIDTH, HEADS, DECODER_LAYERS, MELS, F16)
        file.write(struct.pack("<I11i", 0x67676D6C, *dimensions))
        file.write(struct.pack("<2i", MELS, 201) + (random.random((MELS, 201)) * 0.01).astype("<f4").tobytes())
        words = [b" ", *(f" word{number}".encode() for number in range(1, 50_257))]  # whisper.cpp looks for a token that is a space
        file.write(struct.pack("<i", len(words)) + b"".join(struct.pack("<i", len(word)) + word for word in words))
        for name, shape, kind in _tensors():
            file.write(struct.pack("<3i", len(shape), len(name), kind) + struct.pack(f"<{len(shape)}i", *shape) + name.encode())
            values = np.ones(shape) if "ln" in name and name.endswith("weight") else random.standard_normal(shape) * 0.1
            file.write(values.astype("<f2" if kind == F16 else "<f4").tobytes())


def whisper(path: Path, **settings: float) -> Model:
    size = path.stat().st_size
    return Model("test", "asr", "whisper", str(path), None, "1", "open", ("en",), "none", "made by the tests", size, settings)


@pytest.fixture(scope="session")
def tiny_ggml(tmp_path_factory) -> Path:
    """The file of a tiny random Whisper model."""
    path = tmp_path_factory.mktemp("ggml") / "ggml-tiny-random.bin"
    write_ggml(path)
    return path


@pytest.fixture(scope="session")
def whisper_card() -> Callable[..., Model]:
    """Makes the description of a Whisper model from its file and its card's settings."""
    return whisper


@pytest.fixture
def pcm_of(tmp_path) -> Callable[[np.ndarray], Pcm]:
    """Makes a `Pcm` of samples in [-1, 1]."""

    def make(samples: np.ndarray) -> Pcm:
        path = tmp_path / "pcm.raw"
        path.write_bytes(np.clip(np.round(np.asarray(samples) * 32768), -32768, 32767).astype("<i2").tobytes())
        return Pcm(path)

    return make


@pytest.fixture(scope="session")
def hum() -> np.ndarray:
    """Forty seconds of something between noise and a voice, the same each time."""
    time = np.arange(40 * SAMPLE_RATE) / SAMPLE_RATE
    noise = np.random.default_rng(1).standard_normal(len(time))
    return 0.1 * (np.sin(2 * np.pi * 150 * time) * (1 + np.sin(2 * np.pi * 3 * time)) + 0.2 * noise)
