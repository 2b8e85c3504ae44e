from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trax.errors import ModelError
from trax.models.catalogue import catalogue
from trax.models.silero import read, weights
from trax.models.wheels import wheel_files

FILE = wheel_files(catalogue()["silero-vad"])[0]


def test_the_weights_of_the_wheel_are_read_whole():
    found = weights()
    assert sum(value.size for value in found.values()) == 309_633
    assert {value.dtype for value in found.values()} == {np.dtype(np.float32)}
    assert found["decoder.decoder.2.bias"].shape == ()


def test_what_is_not_there_is_told(tmp_path):
    with pytest.raises(ModelError, match="cannot be read") as told:
        read(tmp_path / "none.bin")
    assert told.value.file == str(tmp_path / "none.bin")


def test_another_network_is_told(tmp_path, write_ggml):
    with pytest.raises(ModelError, match="not the voice activity network"):
        read(write_ggml())
    smaller = tmp_path / "smaller.bin"
    smaller.write_bytes(FILE.read_bytes().replace(struct.pack("<2i", 512, 64), struct.pack("<2i", 256, 64)))
    with pytest.raises(ModelError, match="not the voice activity network"):
        read(smaller)


@given(st.integers(0, FILE.stat().st_size - 1))
def test_a_file_that_is_cut_short_is_told(tmp_path_factory, length):
    cut = tmp_path_factory.mktemp("cut") / "cut.bin"
    cut.write_bytes(FILE.read_bytes()[:length])
    with pytest.raises(ModelError) as told:
        read(cut)
    assert told.value.file == str(cut)


def test_numbers_that_are_none_are_told(tmp_path):
    damaged = tmp_path / "damaged.bin"
    data = FILE.read_bytes()
    damaged.write_bytes(data[:-2] + struct.pack("<e", float("nan")))
    with pytest.raises(ModelError, match="forward_basis_buffer should be finite"):
        read(damaged)
    name = b"_model.decoder.rnn.bias_ih"
    damaged.write_bytes(data.replace(name, name[::-1]))
    with pytest.raises(ModelError, match="bias_ih should be"):
        read(damaged)
