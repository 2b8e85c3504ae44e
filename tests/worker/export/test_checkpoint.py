"""Checkpoints as pyannote.audio saves them, written by hand: what is taken, and what is refused before anything of torch is loaded."""

import hashlib
import importlib.util
import json
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
from torch_files import dictionary, instance, integer, legacy, program, tensor, text, zipped

from trax.errors import ModelError
from trax.worker.export.checkpoint import Segments, read

WEIGHT = np.arange(12, dtype=np.float32).reshape(3, 4)
PYANNET = ("pyannote.audio.models.segmentation.PyanNet", "PyanNet")
WESPEAKER = ("pyannote.audio.models.embedding.wespeaker", "WeSpeakerResNet34")


def listed(*items: bytes) -> bytes:
    return b"](" + b"".join(items) + b"e"


def specifications(problem: int, classes: int, at_once: int | None, *, seconds: float = 10.0, invariant: bool = True) -> bytes:
    """As pickle writes pyannote's `Specifications`."""
    attributes = {
        "problem": b"cpyannote.audio.core.task\nProblem\n" + integer(problem) + b"\x85R",
        "duration": pickle.dumps(seconds, 2)[2:-1],
        "classes": listed(*(text(f"speaker#{number}") for number in range(classes))),
        "powerset_max_classes": b"N" if at_once is None else integer(at_once),
        "permutation_invariant": b"\x88" if invariant else b"\x89",
    }
    return instance("pyannote.audio.core.task", "Specifications", state=dictionary(attributes))


def saved(architecture: tuple[str, str], told: bytes, arguments: dict[str, bytes] | None = None, weights: dict | None = None) -> bytes:
    """As Lightning saves a model of pyannote's."""
    arrays = list((weights or {"linear.weight": WEIGHT}).items())
    own = {
        "versions": dictionary({"pyannote.audio": text("3.1.1")}),
        "architecture": dictionary({"module": text(architecture[0]), "class": text(architecture[1])}),
        "specifications": told,
    }
    entries = {
        "epoch": integer(3),
        "callbacks": dictionary({"progress": instance("pytorch_lightning.callbacks.progress", "Bar")}),
        "hyper_parameters": dictionary(arguments or {"sample_rate": integer(16_000)}),
        "state_dict": dictionary({name: tensor(str(number), array) for number, (name, array) in enumerate(arrays)}),
        "pyannote.audio": dictionary(own),
    }
    return zipped(program(dictionary(entries)), [array for _, array in arrays])


@pytest.fixture
def given(tmp_path):
    def write(data: bytes):
        (tmp_path / "model.bin").write_bytes(data)
        return tmp_path / "model.bin"

    return write


def test_a_powerset_segmentation_says_what_it_was_trained_for(given):
    data = saved(PYANNET, specifications(1, 3, 2), {"sample_rate": integer(16_000), "lstm": dictionary({"hidden_size": integer(128)})})
    found = read(given(data))
    assert (found.architecture, found.engine, found.kind, found.version) == ("PyanNet", "pyannet", "segmentation", "3.1.1")
    assert found.segments == Segments(3, 2, 10.0)
    assert found.arguments == {"sample_rate": 16_000, "lstm": {"hidden_size": 128}}
    assert found.sha256 == hashlib.sha256(data).hexdigest()
    np.testing.assert_array_equal(found.weights["linear.weight"], WEIGHT)


def test_so_does_one_that_scores_speakers_one_by_one(given):
    assert read(given(saved(PYANNET, specifications(2, 4, None, seconds=5.0)))).segments == Segments(4, None, 5.0)


def test_an_embedding_is_told_by_its_class_and_what_served_its_training_is_left_out(given):
    found = read(given(saved(WESPEAKER, b"N", weights={"resnet.conv1.weight": WEIGHT, "loss_func.W": WEIGHT + 1})))
    assert (found.kind, found.engine, found.segments) == ("embedding", "wespeaker", None)
    assert list(found.weights) == ["resnet.conv1.weight"]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (saved(("torch.nn", "Module"), b"N"), "is of torch.nn.Module"),
        (saved(("pyannote.audio.models.embedding.wespeaker", "Evil"), b"N"), "What can be exported"),
        (saved(("evil", "PyanNet"), specifications(1, 3, 2)), "is of evil.PyanNet"),
        (saved(WESPEAKER, b"N", {"sample_rate": integer(8000)}), "sample_rate = 8000"),
        (saved(WESPEAKER, b"N", {"num_mel_bins": integer(64)}), "num_mel_bins = 64"),
        (saved(WESPEAKER, b"N", {"window_type": text("povey")}), "window_type = 'povey'"),
        (saved(WESPEAKER, b"N", weights={"a": np.array([np.nan], np.float32)}), "finite"),
        (saved(PYANNET, b"N"), "what its segmentation was trained for"),
        (saved(PYANNET, specifications(0, 1, None)), "not trained to tell speakers apart"),
        (saved(PYANNET, specifications(2, 3, None, invariant=False)), "not trained to tell speakers apart"),
        (saved(PYANNET, specifications(1, 3, 4)), "cannot hear 4 of 3 speakers"),
        (saved(PYANNET, specifications(1, 0, 2)), "how many speakers"),
        (saved(PYANNET, specifications(1, 3, 2, seconds=1e9)), "windows of"),
        (zipped(program(dictionary({"state_dict": b"}"})), []), "no checkpoint of pyannote.audio"),
        (legacy(program(b"]"), []), "PyTorch checkpoint|dictionary"),
        (b"GIF89a", "no PyTorch checkpoint"),
    ],
)
def test_what_trax_could_not_use_is_refused_in_words(given, data, words):
    with pytest.raises(ModelError, match=words) as refused:
        read(given(data))
    assert "Nothing in the file was run" in refused.value.advice


class Owns:
    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


def test_a_checkpoint_that_would_run_a_command_is_refused_and_runs_nothing(given, tmp_path):
    arguments = {"sample_rate": integer(16_000), "lstm": pickle.dumps(Owns(f"touch {tmp_path}/owned"), 2)[2:-1]}
    with pytest.raises(ModelError, match=r"asks for posix\.system"):
        read(given(saved(PYANNET, specifications(1, 3, 2), arguments)))
    assert not (tmp_path / "owned").exists()


def test_a_file_that_cannot_be_read_is_told(tmp_path):
    with pytest.raises(ModelError, match="cannot be read"):
        read(tmp_path / "absent.bin")


@pytest.mark.skipif(importlib.util.find_spec("torch") is not None, reason="torch is installed: see test_export.py")
@pytest.mark.parametrize("is_on_hub", [False, True])
def test_where_torch_is_missing_the_command_says_how_to_install_it_and_fetches_nothing(given, tmp_path, is_on_hub):
    checkpoint = "someone/voices" if is_on_hub else str(given(saved(PYANNET, specifications(1, 3, 2))))
    (tmp_path / "trax.yaml").write_text(f"root: {tmp_path}\nmodels:\n  mirror: https://nowhere.invalid\n")
    command = [sys.executable, "-P", "-m", "trax.cli.main", "models", "export", checkpoint, "--int8", "--json"]
    environment = {**os.environ, "TRAX_CONFIG": str(tmp_path / "trax.yaml")}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 1
    error = json.loads(done.stdout or done.stderr)["error"]
    assert "needs torch, pyannote.audio and onnx, and not all of them are there: torch" in error["what"]
    assert "pip install 'trax[export]'" in error["advice"]


def test_a_hostile_checkpoint_is_told_by_the_command_whether_torch_is_there_or_not(given, tmp_path):
    arguments = {"lstm": pickle.dumps(Owns(f"touch {tmp_path}/owned"), 2)[2:-1]}
    checkpoint = given(saved(PYANNET, specifications(1, 3, 2), arguments))
    command = [sys.executable, "-P", "-m", "trax.worker.tools", "models", "export", "--state", str(tmp_path / "state"), str(checkpoint)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "asks for posix.system" in json.loads(done.stdout)["error"]["what"]
    assert not (tmp_path / "owned").exists()
