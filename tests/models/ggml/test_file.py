"""What is read and written again is the same; what is no model is refused."""

from __future__ import annotations

import filecmp
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trax.errors import ModelError
from trax.models.ggml.blocks import PLAIN
from trax.models.ggml.file import read, write
from trax.models.ggml.header import WhisperHeader
from trax.models.ggml.layout import layout
from trax.models.ggml.model import GgmlModel, LazyTensors, Tensor
from trax.models.ggml.quantize import quantized


@pytest.mark.parametrize("dimensions", [{}, {"mels": 128, "vocabulary": 51_866}, {"width": 32, "heads": 2, "decoder_layers": 3}])
def test_a_file_comes_back_byte_for_byte(write_ggml, tmp_path, dimensions):
    write(read(write_ggml(**dimensions)), tmp_path / "again.bin")
    assert filecmp.cmp(tmp_path / "ggml-own.bin", tmp_path / "again.bin", shallow=False)


def test_a_real_file_comes_back_byte_for_byte(whisper_model, tmp_path):
    write(read(whisper_model), tmp_path / "again.bin")
    assert filecmp.cmp(whisper_model, tmp_path / "again.bin", shallow=False)


def test_a_file_can_be_written_over_itself(write_ggml):
    path = write_ggml()
    before = path.read_bytes()
    write(read(path), path)
    assert path.read_bytes() == before


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=12)
@given(
    layers=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    heads=st.integers(1, 2),
    mels=st.sampled_from([80, 128]),
    matrices=st.sampled_from(["f32", "f16", "q8_0", "q5_0"]),
    vocabulary=st.lists(st.binary(max_size=9), max_size=5).map(tuple),
    seed=st.integers(0, 9),
)
def test_any_model_comes_back(tmp_path, layers, heads, mels, matrices, vocabulary, seed):
    random = np.random.default_rng(seed)
    header = WhisperHeader(51_864, 3, 32, heads, layers[0], 2, 32, heads, layers[1], mels, matrices)
    expected = layout(header)
    tensors = {tensor.name: Tensor.of(tensor.name, random.standard_normal(tensor.shape), tensor.kind) for tensor in expected}
    model = GgmlModel(header, random.random((mels, 201), np.float32), vocabulary, tensors)
    write(model, tmp_path / "model.bin")
    found = read(tmp_path / "model.bin")
    assert (found.header, found.vocabulary, list(found.tensors)) == (header, vocabulary, list(tensors))
    assert (found.filters == model.filters).all()
    for name, tensor in tensors.items():
        again = found.tensors[name]
        assert (again.name, again.kind, again.shape, again.data.shape) == (name, tensor.kind, tensor.shape, tensor.data.shape)
        assert (again.data == tensor.data).all()


def test_weights_of_other_kinds_are_refused(write_ggml):
    path = write_ggml(width=32)
    data = bytearray(path.read_bytes())
    name = b"encoder.blocks.0.attn.query.weight"
    at = data.index(name)
    data[at - 12 : at - 8] = (2).to_bytes(4, "little")  # q4_0
    del data[at + len(name) + 32 * 18 : at + len(name) + 32 * 32 * 2]
    path.write_bytes(data)
    with pytest.raises(ModelError, match="q4_0 cannot be read"):
        read(path)


def test_a_file_that_shrinks_while_it_is_read_is_refused(write_ggml, tmp_path):
    path = write_ggml()
    model = read(path)
    path.write_bytes(path.read_bytes()[:-2])
    with pytest.raises(ModelError, match="changed while it was read"):
        write(model, tmp_path / "again.bin")
    assert not (tmp_path / "again.bin").exists()


def test_tensors_are_made_when_they_are_asked_for(write_ggml, tmp_path):
    model = read(write_ggml())
    made: list[str] = []

    def maker(name):
        def make():
            made.append(name)
            return model.tensors[name]

        return make

    lazy = replace(model, tensors=LazyTensors({name: maker(name) for name in model.tensors}))
    assert not made
    write(lazy, tmp_path / "again.bin")
    assert made == list(model.tensors)


class TestQuantized:
    @pytest.mark.parametrize(("kind", "size"), [("q8_0", 34), ("q5_0", 22)])
    def test_the_matrices_shrink_and_nothing_else(self, write_ggml, tmp_path, kind, size):
        model = read(write_ggml(width=32))
        write(quantized(model, kind), tmp_path / "small.bin")
        small = read(tmp_path / "small.bin")
        assert small.header == replace(model.header, weights=kind)
        for name, tensor in model.tensors.items():
            # as whisper.cpp's own tool chooses: all of two dimensions but for these
            left = name in {f"{side}.positional_embedding" for side in ("encoder", "decoder")} or ".conv" in name
            if len(tensor.shape) == 2 and not left:
                assert small.tensors[name].kind == kind
                assert small.tensors[name].data.nbytes == tensor.data.size // 32 * size
            else:
                assert small.tensors[name].kind == tensor.kind
                assert (small.tensors[name].data == tensor.data).all()

    def test_undone_and_done_again_the_numbers_stay(self, whisper_model, tmp_path):
        """But for the rounding to f16 between."""
        original = read(whisper_model)
        write(quantized(original, "f16"), tmp_path / "f16.bin")
        again = quantized(read(tmp_path / "f16.bin"), "q8_0")
        assert again.header == original.header
        for name, tensor in original.tensors.items():
            numbers = tensor.values()
            assert np.abs(again.tensors[name].values() - numbers).max() <= 1e-3 * np.abs(numbers).max()

    def test_the_header_tells_the_kind_as_whisper_cpp_does(self, write_ggml, tmp_path):
        model = read(write_ggml(width=32))
        for kind, ftype in (("q8_0", 2007), ("q5_0", 2008), ("f16", 1)):
            write(quantized(model, kind), tmp_path / "small.bin")
            assert (tmp_path / "small.bin").read_bytes()[44:48] == ftype.to_bytes(4, "little")

    def test_a_model_of_f32_alone_becomes_one_that_can_be_run(self, write_ggml, tmp_path):
        model = read(write_ggml(width=32))
        plain = {name: Tensor.of(name, tensor.values(), "f32") for name, tensor in model.tensors.items()}
        write(replace(model, header=replace(model.header, weights="f32"), tensors=plain), tmp_path / "f32.bin")
        write(quantized(read(tmp_path / "f32.bin"), "f16"), tmp_path / "f16.bin")
        assert filecmp.cmp(tmp_path / "ggml-own.bin", tmp_path / "f16.bin", shallow=False)

    def test_what_cannot_be_is_refused(self, write_ggml):
        with pytest.raises(ModelError, match="width 2"):
            quantized(read(write_ggml()), "q8_0")
        with pytest.raises(ModelError, match="q4_0"):
            quantized(read(write_ggml(width=32)), "q4_0")


@pytest.mark.parametrize("kind", ["f32", "f16", "q8_0", "q5_0"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, -1e39])
def test_numbers_that_a_kind_cannot_hold_are_refused(kind, bad):
    numbers = np.zeros((2, 32))
    numbers[1, 7] = bad
    with pytest.raises(ModelError, match=f"tensor x holds .* for {kind}"):
        Tensor.of("x", numbers, kind)


@pytest.mark.parametrize("kind", ["q8_0", "q5_0"])
def test_rows_that_are_no_whole_blocks_are_refused(kind):
    with pytest.raises(ModelError, match="rows of 33"):
        Tensor.of("x", np.zeros((2, 33)), kind)


@pytest.mark.parametrize("kind", PLAIN)
def test_plain_numbers_stay_what_they_are(kind):
    numbers = np.array([[1.5, -2.25, 65504.0]], np.float32)
    assert (Tensor.of("x", numbers, kind).values() == numbers).all()
