"""A tiny Whisper model, and sounds to give to it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ggml import write

from trax.audio.pcm import SAMPLE_RATE, Pcm
from trax.models.model import Model


def whisper(path: Path, **settings: float) -> Model:
    size = path.stat().st_size
    return Model("test", "asr", "whisper", str(path), None, "1", "open", ("en",), "none", "made by the tests", size, settings)


@pytest.fixture(scope="session")
def tiny_ggml(tmp_path_factory) -> Path:
    """The file of a tiny random Whisper model."""
    path = tmp_path_factory.mktemp("ggml") / "ggml-tiny-random.bin"
    write(path, width=64, heads=2, encoder_layers=4, decoder_layers=3)
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
