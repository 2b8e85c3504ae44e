"""Folders as Hugging Face lays them out, written by the library safetensors from models whose ggml files are known."""

from __future__ import annotations

import json
import os
import shutil
import struct
from collections.abc import Mapping
from pathlib import Path

import ggml
import numpy as np
import pytest
from hugging_face import lay_out
from safetensors import TensorSpec, serialize_file
from safetensors.numpy import save_file

from trax.errors import ModelError
from trax.models.ggml.file import read, write
from trax.models.ggml.hugging_face import converted
from trax.models.ggml.model import GgmlModel
from trax.models.mel import mel_filters


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """Where a ggml file and the folder of the same model lie."""
    place = tmp_path_factory.mktemp("made")
    ggml.write(place / "ggml.bin", vocabulary=51_865)
    save_file(lay_out(read(place / "ggml.bin"), place / "theirs"), place / "theirs" / "model.safetensors")
    return place


@pytest.fixture
def small(made) -> GgmlModel:
    return read(made / "ggml.bin")


@pytest.fixture
def folder(made, tmp_path) -> Path:
    return shutil.copytree(made / "theirs", tmp_path / "theirs")


def change(file: Path, **values: object) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


def assert_same(found: GgmlModel, model: GgmlModel, digits: float) -> None:
    assert (found.header, found.vocabulary, set(found.tensors)) == (model.header, model.vocabulary, set(model.tensors))
    assert (found.filters == mel_filters(model.header.mels)).all()
    for name, tensor in model.tensors.items():
        assert (found.tensors[name].kind, found.tensors[name].shape) == (tensor.kind, tensor.shape)
        np.testing.assert_allclose(found.tensors[name].values(), tensor.values(), rtol=digits, atol=1e-7, err_msg=name)


@pytest.mark.parametrize("dimensions", [{}, {"mels": 128, "vocabulary": 51_866, "encoder_layers": 3}, {"width": 32, "heads": 4}])
def test_a_folder_gives_the_model_it_was_made_from(write_ggml, tmp_path, dimensions):
    model = read(write_ggml(**dimensions))
    save_file(lay_out(model, tmp_path / "theirs"), tmp_path / "theirs" / "model.safetensors", metadata={"format": "pt"})
    if dimensions.get("vocabulary"):  # its vocabulary ends with an empty token, which the test's model lacks
        model = GgmlModel(model.header, model.filters, (*model.vocabulary, b"")[:50_257], model.tensors)
    else:
        model = GgmlModel(model.header, model.filters, model.vocabulary[:50_256], model.tensors)
    found = converted(tmp_path / "theirs")
    assert_same(found, model, 0)
    write(found, tmp_path / "again.bin")
    assert_same(read(tmp_path / "again.bin"), model, 0)


def test_half_precision_is_enough(small, folder):
    half = {name: numbers.astype(np.float16) for name, numbers in lay_out(small, folder / "half").items()}
    save_file(half, folder / "half" / "model.safetensors")
    assert_same(converted(folder / "half"), small, 1e-3)


def test_bfloat16_is_read(small, folder):
    weights = lay_out(small, folder / "brain")
    halves = {name: (numbers.view(np.uint32) >> 16).astype(np.uint16) for name, numbers in weights.items()}
    specs = {
        name: TensorSpec(dtype="bfloat16", shape=numbers.shape, data_ptr=numbers.ctypes.data, data_len=numbers.nbytes)
        for name, numbers in halves.items()
    }
    serialize_file(specs, folder / "brain" / "model.safetensors")
    assert_same(converted(folder / "brain"), small, 2**-7)


def test_shards_are_joined(small, folder):
    weights = lay_out(small, folder / "shards")
    places = {name: f"model-0000{1 + place % 3}-of-00003.safetensors" for place, name in enumerate(weights)}
    for shard in set(places.values()):
        save_file({name: weights[name] for name, place in places.items() if place == shard}, folder / "shards" / shard)
    (folder / "shards" / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))
    assert_same(converted(folder / "shards"), small, 0)
    (folder / "shards" / "model-00002-of-00003.safetensors").unlink()
    with pytest.raises(ModelError, match="cannot be read") as caught:
        converted(folder / "shards")
    assert caught.value.file.endswith("model-00002-of-00003.safetensors")


@pytest.mark.parametrize("index", [{}, {"weight_map": 5}, {"weight_map": {"a": "../../other.safetensors"}}, {"weight_map": {"a": 3}}])
def test_an_index_of_anything_else_is_refused(folder, index):
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ModelError, match="not an index of shards"):
        converted(folder)


def test_the_vocabulary_may_be_in_the_tokenizer(folder, small):
    vocabulary = json.loads((folder / "vocab.json").read_text())
    (folder / "vocab.json").unlink()
    (folder / "tokenizer.json").write_text(json.dumps({"model": {"type": "BPE", "vocab": vocabulary}}))
    assert_same(converted(folder), small, 0)


def test_a_tied_output_is_left_out_and_another_refused(folder, small):
    weights: Mapping[str, np.ndarray] = lay_out(small, folder / "tied")
    output = weights["model.decoder.embed_tokens.weight"].copy()
    change(folder / "tied" / "config.json", tie_word_embeddings=False)
    save_file({**weights, "proj_out.weight": output}, folder / "tied" / "model.safetensors")
    assert_same(converted(folder / "tied"), small, 0)
    output[0, 0] += 1
    save_file({**weights, "proj_out.weight": output}, folder / "tied" / "model.safetensors")
    with pytest.raises(ModelError, match="tie_word_embeddings"):
        converted(folder / "tied")


@pytest.mark.parametrize(
    ("change_to", "words"),
    [
        ({"model_type": "wav2vec2"}, "not a Whisper model .* model_type is 'wav2vec2'"),
        ({"activation_function": "relu"}, "activation_function is 'relu'"),
        ({"scale_embedding": True}, "scale_embedding is True"),
        ({"decoder_ffn_dim": 6}, "decoder_ffn_dim is 6"),
        ({"d_model": "wide"}, "d_model is 'wide'"),
        ({"d_model": None}, "d_model is None"),
        ({"d_model": 2**40}, "d_model is 1099511627776"),
        ({"vocab_size": 32_000}, "vocabulary is 32000"),
        ({"encoder_attention_heads": 0}, "audio heads is 0"),
        ({"encoder_attention_heads": 2, "decoder_attention_heads": 3}, "heads"),
        ({"encoder_layers": 2}, "lack the tensor model.encoder.layers.1.self_attn.q_proj.weight"),
        ({"num_mel_bins": 128}, r"model.encoder.conv1.weight has the shape \(2, 80, 3\).* \(2, 128, 3\) is expected"),
        ({"vocab_size": 51_866}, "model.decoder.embed_tokens.weight has the shape"),
    ],
)
def test_a_configuration_that_does_not_fit_is_refused(folder, change_to, words):
    change(folder / "config.json", **change_to)
    with pytest.raises(ModelError, match=words):
        converted(folder)


@pytest.mark.parametrize("name", ["config.json", "vocab.json"])
@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff", b"[" * 10_000, b"{}", b'{"a": "b"}'])
def test_files_that_are_not_what_they_should_be_are_refused(folder, name, content):
    (folder / name).write_bytes(content)
    with pytest.raises(ModelError) as caught:
        converted(folder)
    assert caught.value.file == str(folder / name)


@pytest.mark.parametrize("name", ["config.json", "vocab.json", "model.safetensors"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(ModelError, match="cannot be read: No such file") as caught:
        converted(folder)
    assert caught.value.file.startswith(str(folder))


def test_an_unknown_token_is_named(folder):
    tokens = json.loads((folder / "vocab.json").read_text())
    word = next(iter(tokens))
    (folder / "vocab.json").write_text(json.dumps({("日本" if token == word else token): number for token, number in tokens.items()}))
    with pytest.raises(ModelError, match="Whisper's vocabulary: '日'"):
        converted(folder)


class TestWeights:
    @pytest.mark.parametrize("kept", [0, 5, 8, 100, 20_000, -1])
    def test_a_cut_file_is_refused(self, folder, kept):
        file = folder / "model.safetensors"
        os.truncate(file, kept if kept >= 0 else file.stat().st_size + kept)
        with pytest.raises(ModelError, match=r"cut short|not a whole safetensors file"):
            converted(folder)

    @pytest.mark.parametrize(
        "entry",
        [
            {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]},
            {"dtype": "F32", "shape": [-2], "data_offsets": [8, 0]},
            {"dtype": "F32", "shape": [2], "data_offsets": [-8, 0]},
            {"dtype": "F32", "shape": [2]},
            {"dtype": "F32", "shape": 2, "data_offsets": [0, 8]},
            {"dtype": "I8", "shape": [8], "data_offsets": [0, 8]},
            {"dtype": "F32", "shape": [2], "data_offsets": [2**70, 2**70 + 8]},
            {"dtype": ["F32"], "shape": [2], "data_offsets": [0, 8]},
            [],
            None,
        ],
    )
    def test_entries_that_cannot_be_are_refused(self, folder, entry):
        text = json.dumps({"a": entry}).encode()
        (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + bytes(8))
        with pytest.raises(ModelError, match=r"cut short|not a whole safetensors file|type I8"):
            converted(folder)

    @pytest.mark.parametrize("length", [2**63, 2**33, 0])
    def test_a_length_that_cannot_be_is_refused(self, folder, length):
        (folder / "model.safetensors").write_bytes(struct.pack("<Q", length) + b"{}")
        with pytest.raises(ModelError, match="not a whole safetensors file"):
            converted(folder)

    def test_numbers_that_are_none_are_refused_when_they_are_used(self, small, folder, tmp_path):
        weights = lay_out(small, folder / "sick")
        weights["model.encoder.conv1.weight"][0, 0, 0] = np.nan
        save_file(weights, folder / "sick" / "model.safetensors")
        with pytest.raises(ModelError, match=r"encoder\.conv1\.weight holds numbers that are not finite"):
            write(converted(folder / "sick"), tmp_path / "again.bin")
        assert not (tmp_path / "again.bin").exists()
