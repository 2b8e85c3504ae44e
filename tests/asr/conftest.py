"""A tiny Whisper model, and sounds to give to Whisper models."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from ggml import write

from trax.asr.engine import Options
from trax.asr.whisper import Whisper
from trax.audio.pcm import SAMPLE_RATE, Pcm
from trax.models.model import Model
from trax.transcript import Span, Word

NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")


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


@pytest.fixture(scope="session")
def talk_of_digits(sample) -> Callable[[int], tuple[np.ndarray, list[tuple[str, float, float]]]]:
    """Digits spoken by up to six people, five in turn, joined with pauses: samples, and each word's text, start and end (seconds)."""

    def make(count: int) -> tuple[np.ndarray, list[tuple[str, float, float]]]:
        random = np.random.default_rng(3)
        sounds, reference, place = [], [], 0.0
        for turn in range(count):
            digit, pause = int(random.integers(10)), float(random.uniform(0.15, 0.5)) + (2.0 if turn % 10 == 9 else 0.0)
            clip = voice(sample(f"fsdd/{digit}_{SPEAKERS[turn // 5 % 6]}_{int(random.integers(5, 50))}.wav"))
            sounds += [np.zeros(round(pause * SAMPLE_RATE)), clip]
            start = place + pause
            place = start + len(clip) / SAMPLE_RATE
            reference.append((NAMES[digit], start, place))
        return np.concatenate([*sounds, np.zeros(SAMPLE_RATE)]), reference

    return make


@pytest.fixture
def hear(talk_of_digits, pcm_of) -> Callable[..., list[Word]]:
    """The words that a model hears in a talk of so many digits (or its first seconds), in windows of so many seconds."""

    def heard(model: Path, count: int, window: float, seconds: float | None = None) -> list[Word]:
        samples, _ = talk_of_digits(count)
        end = seconds or len(samples) / SAMPLE_RATE
        engine = Whisper(whisper(model, window_seconds=window, temperature_inc=0.0))
        with pcm_of(samples) as pcm:
            recognition = engine.transcribe(pcm, (Span(0.0, end),), Options("en"), lambda _: None, lambda: False)
        return [word for segment in recognition.segments for word in segment.words]

    return heard


def voice(path: Path) -> np.ndarray:
    with av.open(str(path)) as source:
        resampler = av.AudioResampler("s16", "mono", SAMPLE_RATE)
        frames = [out for frame in [*source.decode(audio=0), None] for out in resampler.resample(frame)]
    return np.concatenate([frame.to_ndarray()[0] for frame in frames]) / 32768
