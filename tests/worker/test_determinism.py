"""The same recording gives the same words, speakers, JSON and subtitles: again, and with more threads."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from own_build import put_build

from trax.asr import native
from trax.config import Asr, Settings, settings_hash, snapshot
from trax.formats import json_, srt, vtt
from trax.models.catalogue import catalogue
from trax.models.model import Model
from trax.pipeline.merge import assemble
from trax.plain import diarization_from_plain, recognition_from_plain
from trax.shipped import shipped
from trax.transcript import Media, Recognition

SECONDS = 5
STEPS = (
    ("vad", "vad.json"),
    ("transcribe", "fast.json"),
    ("refine", "refined.json"),
    ("embed", "embeddings.npz"),
    ("cluster", "turns.json"),
)
INPUTS = {"pcm": "pcm.raw", "vad": "vad.json", "fast": "fast.json", "embeddings": "embeddings.npz"}


def whisper(name: str, path: Path, library: Mapping[str, Any]) -> dict[str, Any]:
    """A model that decodes again, by sampling, what comes out badly."""
    size = path.stat().st_size
    model = Model(name, "asr", "whisper", str(path), None, "1", "digits", ("en",), "none", "tests", size, {})
    return replace(model, library=library).to_plain()


@pytest.fixture(scope="module")
def noisy_talk() -> bytes:
    """The beginning of the demo's conversation in noise as loud as half the voices."""
    resampler = av.AudioResampler("s16", "mono", 16_000)
    with av.open(str(Path(__file__).resolve().parents[2] / "demo" / "digits.ogg")) as opened:
        parts = [part.to_ndarray()[0] for frame in opened.decode(audio=0) for part in resampler.resample(frame)]
    voices = np.concatenate(parts)[: SECONDS * 16_000].astype(np.float64)
    noise = np.random.default_rng(5).normal(0, 0.5 * np.sqrt(np.mean(voices**2)), len(voices))
    return (voices + noise).clip(-32_768, 32_767).astype("<i2").tobytes()


@pytest.fixture
def outputs(task, tmp_path, noisy_talk) -> Callable[..., tuple[Recognition, dict[str, bytes], dict[str, str]]]:
    """Does all that a worker does, and then what the daemon does."""

    def make(fast: Path, lane: Any, library: Mapping[str, Any]) -> tuple[Recognition, dict[str, bytes], dict[str, str]]:
        folder = tmp_path / f"run-{len(list(tmp_path.glob('run-*')))}"
        folder.mkdir()
        (folder / "pcm.raw").write_bytes(noisy_talk)
        settings = Settings(asr=Asr(refine_threshold=0.99))
        models = task(0, "plan")["models"] | {
            "asr": whisper("first", fast, library),
            "refine": whisper("second", shipped("models") / catalogue()["digits"].files[0].name, library),
            "embedding": ge2e(),
        }
        for number, (kind, output) in enumerate(STEPS):
            told = task(number, kind, output, folder=str(folder), inputs=INPUTS, settings=snapshot(settings), models=models)
            lane.say(told)
            message, _ = lane.answer()
            assert message["event"] == "done", message
        artefacts = {name: (folder / name).read_bytes() for _, name in STEPS}
        recognition = recognition_from_plain(json.loads(artefacts["refined.json"]))
        transcript = assemble(
            recognition,
            diarization_from_plain(json.loads(artefacts["turns.json"])),
            job="20261122-190512-7f3a9c",
            media=Media("talk.wav", "0" * 64, 1, SECONDS, "wav", "pcm_s16le", 16_000, 1),
            models={role: {"name": model["name"]} for role, model in models.items()},
            settings=settings,
            settings_hash=settings_hash(snapshot(settings)),
        )
        return recognition, artefacts, {each.__name__: each.render(transcript) for each in (json_, srt, vtt)}

    return make


def ge2e() -> dict[str, Any]:
    """The model of voices that ships with Trax."""
    path = shipped("models") / "ge2e.onnx"
    model = Model("ge2e", "embedding", "ge2e", str(path), None, "1", "open", (), "none", "tests", path.stat().st_size)
    return replace(model, settings=catalogue()["ge2e"].settings).to_plain()


def the_fast_digits(_: Callable[..., Path]) -> Path:
    return shipped("models") / catalogue()["digits-fast"].files[0].name


def one_that_guesses(write_ggml: Callable[..., Path]) -> Path:
    """Its weights are random, so that every window is decoded again."""
    return write_ggml(width=64, heads=2, encoder_layers=4, decoder_layers=3)


def the_wheels(_: Path) -> Mapping[str, Any]:
    return {}


def one_of_this_machine(folder: Path) -> Mapping[str, Any]:
    """What `trax-ctl engine build` made of this checkout, if it was given the checkout as root; else what takes its place in tests."""
    built = native.chosen(Path(__file__).resolve().parents[2] / "state" / "engine").library
    if built.path is None:
        put_build(folder / "engine")
        built = native.chosen(folder / "engine").library
    return built.to_plain()


@pytest.mark.parametrize("model", [the_fast_digits, one_that_guesses])
@pytest.mark.parametrize("build", [the_wheels, one_of_this_machine])
def test_a_second_run_and_more_threads_give_the_same(lanes, outputs, write_ggml, tmp_path, model, build):
    first, library, lane = model(write_ggml), build(tmp_path), lanes(threads=1)
    recognition, artefacts, texts = outputs(first, lane, library)
    assert recognition.refinements, "nothing was heard a second time"
    for other in (lane, lanes(threads=2)):
        again, same_artefacts, same_texts = outputs(first, other, library)
        assert again == recognition
        assert same_artefacts == artefacts
        assert same_texts == texts
