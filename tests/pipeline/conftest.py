"""A short piece of real speech for the pipeline, and lanes with real processes."""

from __future__ import annotations

import wave
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import pytest

from trax.config import Settings, snapshot
from trax.models.catalogue import catalogue
from trax.models.wheels import find_in_wheel
from trax.pipeline.decoding import DecodeLimits
from trax.pipeline.division import divide
from trax.pipeline.lanes import StageTask
from trax.pipeline.local_lanes import LocalLanes
from trax.pipeline.stages import Stage

CONVERSATION = Path(__file__).resolve().parents[2] / "tests" / "speech" / "conversation.ogg"
SAMPLE_RATE = 16_000


@pytest.fixture(scope="session")
def conversation() -> Path:
    """A conversation of two voices."""
    return CONVERSATION


@pytest.fixture(scope="session")
def speech(tmp_path_factory) -> Path:
    """Its first four seconds as a WAV file."""
    path = tmp_path_factory.mktemp("speech") / "speech.wav"
    resampler = av.AudioResampler("s16", "mono", SAMPLE_RATE)
    with av.open(str(CONVERSATION)) as opened:
        frames = (part for frame in opened.decode(audio=0) for part in resampler.resample(frame))
        samples = b"".join(frame.to_ndarray().tobytes() for frame in frames)
    with wave.open(str(path), "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(SAMPLE_RATE)
        writer.writeframes(samples[: 2 * SAMPLE_RATE * 4])
    return path


Lanes = Callable[..., AbstractAsyncContextManager[LocalLanes]]


@pytest.fixture
def lanes() -> Lanes:
    """Makes lanes that are closed at the end of a block."""

    @asynccontextmanager
    async def make(**options: Any) -> AsyncIterator[LocalLanes]:
        division = divide(cores=2, max_workers=options.pop("max_workers", 2), is_parallel=True, memory_gb=8.0)
        division = replace(division, share_gb=options.pop("share_gb", division.share_gb))
        usual: dict[str, Any] = {"hang_seconds": 60.0, "idle_seconds": 60.0, "limits": DecodeLimits()}
        made = LocalLanes(division, **usual | options)
        try:
            yield made
        finally:
            await made.close()

    return make


@pytest.fixture
def task(tmp_path) -> Callable[..., StageTask]:
    """Makes the task of a stage in a folder of its own."""

    def make(stage: Stage, **other: Any) -> StageTask:
        usual: dict[str, Any] = {
            "kind": stage.name,
            "lane": stage.lane,
            "job": "20261122-190512-7f3a9c",
            "folder": str(tmp_path),
            "source": str(tmp_path / "source"),
            "extension": ".wav",
            "inputs": {"pcm": "pcm.raw", "vad": "vad.json", "embeddings": "embeddings.npz"},
            "output": stage.file,
            "settings": snapshot(Settings()),
            "models": {"vad": find_in_wheel(catalogue()["silero-vad"]).to_plain()},
            "models_folder": str(tmp_path / "models"),
        }
        return StageTask(**usual | other)

    return make
