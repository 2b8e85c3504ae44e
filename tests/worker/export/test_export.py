"""pyannote's own networks, with weights drawn at random, saved by Lightning as pyannote saves them, exported by the command."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from trax.audio.pcm import Pcm
from trax.diarize.embed import Encoder, embed
from trax.diarize.segment import Segmenter, segment
from trax.models.store import survey, verify
from trax.transcript import Span
from trax.worker.export import libraries

pytest.importorskip("torch", reason="trax[export] is not installed: `make export-test` sets up an environment that has it")

EMBEDDINGS = ["WeSpeakerResNet34", "XVectorSincNet", "XVectorMFCC"]
SEGMENTATIONS = {"powerset": 2, "multilabel": None}


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    """Models by name, each with the file it was saved to."""
    import torch
    from lightning.pytorch import Trainer

    pyannote, folder = libraries.pyannote(), tmp_path_factory.mktemp("originals")
    torch.manual_seed(11)
    made = {name: pyannote.networks[name]() for name in EMBEDDINGS}
    for name, at_once in SEGMENTATIONS.items():
        made[name] = pyannote.networks["PyanNet"](lstm={"num_layers": 4}, sincnet={"stride": 10})
        made[name].specifications = pyannote.specifications(3, at_once, 10.0)
        made[name].build()
    for name in EMBEDDINGS:
        made[name].specifications = pyannote.specifications(3, None, 5.0)
    files = {}
    for name, model in made.items():
        with torch.no_grad():  # as if trained a little: no two layers alike, norms not what they were made with
            for buffer in model.buffers():
                if buffer.dtype == torch.float32 and buffer.ndim == 1:
                    buffer.mul_(1 + 0.1 * torch.rand_like(buffer))
        trainer = Trainer(accelerator="cpu", devices=1, logger=False, enable_checkpointing=False, enable_progress_bar=False,
                          enable_model_summary=False, default_root_dir=folder)
        trainer.strategy.connect(model)
        files[name] = folder / f"{name.lower()}.ckpt"
        trainer.save_checkpoint(files[name])
        model.eval()
    return made, files


def export(state: Path, *words: str) -> dict:
    command = [sys.executable, "-P", "-m", "trax.worker.tools", "models", "export", "--state", str(state), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    from trax.worker.export.check import read_speech

    return read_speech(libraries.pyannote().speech)


@pytest.fixture
def pcm(speech, tmp_path):
    np.round(speech * 32768).astype("<i2").tofile(tmp_path / "pcm.raw")
    with Pcm(tmp_path / "pcm.raw") as opened:
        yield opened


@pytest.mark.parametrize("form", ["f32", "int8"])
@pytest.mark.parametrize("name", EMBEDDINGS)
def test_an_embedding_hears_a_voice_as_the_original_does(name, form, originals, pcm, speech, tmp_path):
    import torch

    made, files = originals
    words = ["--int8"] if form == "int8" else []
    answer = export(tmp_path, *words, "--licence", "MIT", "--source", "a test", "--", str(files[name]))
    assert (answer["difference"] <= 1e-4) if form == "f32" else (answer["cosine"] >= 0.999), answer
    (model,) = (each for each in survey(tmp_path / "models").models if each.name.startswith(name.lower()))
    assert (model.settings["weights"], model.settings["sample_rate"], model.settings["threshold"]) == (form, 16_000, 0.7)
    assert model.settings["dimension"] == made[name].dimension
    assert (model.licence, model.source, model.scope) == ("MIT", "a test", "open")
    assert len(model.pulled["files"][files[name].name]) == 64
    assert not [finding for finding in verify(tmp_path / "models") if finding.model == model.name]
    found = embed(pcm, [Span(3.0, 9.0)], Encoder(model, 1), lambda _: None, lambda: False)
    for (start, end), vector in zip(found.windows, found.vectors, strict=True):
        sound = torch.from_numpy(speech[round(float(start) * 16_000) : round(float(end) * 16_000)])
        with torch.inference_mode():
            expected = made[name](sound[None, None])[0].numpy()
        assert vector @ expected / np.linalg.norm(expected) > 0.999


@pytest.mark.parametrize("form", ["f32", "int8"])
@pytest.mark.parametrize("name", SEGMENTATIONS)
def test_a_segmentation_hears_who_talks_as_the_original_does(name, form, originals, pcm, speech, tmp_path):
    import torch
    from pyannote.audio.utils.powerset import Powerset

    made, files = originals
    answer = export(tmp_path, *(["--int8"] if form == "int8" else []), "--name", "listens", "--", str(files[name]))
    assert (answer["difference"] <= 1e-4) if form == "f32" else (answer["cosine"] >= 0.999), answer
    (model,) = (each for each in survey(tmp_path / "models").models if each.name == "listens")
    segmenter = Segmenter(model, 1)
    found = segment(pcm, segmenter, lambda _: None, lambda: False)
    assert found.active.shape[1:] == (made[name].num_frames(160_000), 3)
    for number, window in enumerate(found.active):
        sound = np.zeros(160_000, np.float32)
        piece = speech[number * found.hop * 270 :][:160_000]
        sound[: piece.size] = piece
        with torch.inference_mode():
            scores = made[name](torch.from_numpy(sound)[None, None])
            expected = (Powerset(3, 2).to_multilabel(scores) if name == "powerset" else scores > 0.5)[0].numpy()
        assert (window == (expected > 0.5)).mean() > (0.995 if form == "f32" else 0.95)


def test_a_hostile_checkpoint_is_refused_and_its_program_does_not_run(originals, tmp_path):
    import os

    import torch

    class Owns:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path}/owned",)

    checkpoint = torch.load(originals[1]["powerset"], weights_only=False)
    checkpoint["hyper_parameters"]["sincnet"]["stride"] = Owns()
    torch.save(checkpoint, tmp_path / "hostile.ckpt")
    answer = export(tmp_path, "--", str(tmp_path / "hostile.ckpt"))
    assert "asks for posix.system" in answer["error"]["what"]
    assert not (tmp_path / "owned").exists()
    assert not list((tmp_path / "models").glob("*") if (tmp_path / "models").exists() else [])


def test_weights_that_do_not_fit_the_network_are_refused_in_words(originals, tmp_path):
    import torch

    checkpoint = torch.load(originals[1]["XVectorSincNet"], weights_only=False)
    del checkpoint["state_dict"]["embedding.weight"]
    torch.save(checkpoint, tmp_path / "lacks.ckpt")
    assert "does not fit pyannote's class XVectorSincNet" in export(tmp_path, "--", str(tmp_path / "lacks.ckpt"))["error"]["what"]


def test_the_same_checkpoint_gives_the_same_model_and_another_may_not_take_its_name(originals, tmp_path):
    once = export(tmp_path, "--name", "voices", "--", str(originals[1]["XVectorSincNet"]))
    again = export(tmp_path, "--name", "voices", "--", str(originals[1]["XVectorSincNet"]))
    assert once["exported"] == again["exported"]
    assert "another model named voices" in export(tmp_path, "--name", "voices", "--", str(originals[1]["XVectorMFCC"]))["error"]["what"]


def test_pyannote_reports_nothing_to_its_makers():
    libraries.pyannote()
    from pyannote.audio.telemetry.metrics import is_metrics_enabled

    assert not is_metrics_enabled()
