from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trax.audio.pcm import SAMPLE_RATE, Pcm
from trax.errors import StorageError

SAMPLES = np.arange(-20_000, 20_000, dtype="<i2")


@pytest.fixture(scope="module")
def recording(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("pcm") / "pcm.raw"
    path.write_bytes(SAMPLES.tobytes())
    return path


def test_length_and_scale(recording):
    with Pcm(recording) as pcm:
        assert pcm.duration == 2.5
        samples = pcm.read(0.0, 2.5)
        assert samples.dtype == np.float32
        np.testing.assert_array_equal(samples, SAMPLES / np.float32(32768))


@given(start=st.floats(-1, 4), length=st.floats(-1, 4))
def test_a_piece_is_what_lies_there(recording, start, length):
    with Pcm(recording) as pcm:
        piece = pcm.read(start, start + length)
    first, last = (max(0, round(t * SAMPLE_RATE)) for t in (start, start + length))
    np.testing.assert_array_equal(piece, SAMPLES[first : max(first, last)] / np.float32(32768))


@given(seconds=st.floats(0.05, 5))
def test_blocks_are_the_whole_recording(recording, seconds):
    with Pcm(recording) as pcm:
        blocks = list(pcm.blocks(seconds))
        np.testing.assert_array_equal(np.concatenate(blocks), pcm.read(0, pcm.duration))
    assert all(len(block) == len(blocks[0]) for block in blocks[:-1])


def test_an_odd_byte_at_the_end_is_no_sample(tmp_path):
    path = tmp_path / "pcm.raw"
    path.write_bytes(b"\x01\x00\x02")
    with Pcm(path) as pcm:
        assert pcm.samples == 1
        assert len(pcm.read(0, 1)) == 1


def test_empty(tmp_path):
    path = tmp_path / "pcm.raw"
    path.touch()
    with Pcm(path) as pcm:
        assert pcm.duration == 0
        assert list(pcm.blocks(1)) == []
        assert len(pcm.read(0, 1)) == 0


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(StorageError, match=r"gone\.raw"):
        Pcm(tmp_path / "gone.raw")


def test_a_file_cut_while_it_is_read_is_told(tmp_path):
    path = tmp_path / "pcm.raw"
    path.write_bytes(bytes(64_000))
    with Pcm(path) as pcm:
        path.write_bytes(b"")
        with pytest.raises(StorageError, match="shorter"):
            pcm.read(0, 2)
