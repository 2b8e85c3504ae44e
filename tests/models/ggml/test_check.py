import contextlib
import os
import struct

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trax.errors import ModelError
from trax.models.ggml.check import check_whole
from trax.models.ggml.header import HEADER_SIZE

VOCABULARY_AT = HEADER_SIZE + 8 + 80 * 201 * 4


@pytest.mark.parametrize(
    ("dimensions", "told"),
    [
        ({}, {"audio_width": 2, "weights": "f16", "languages": ("en",)}),
        ({"encoder_layers": 3, "decoder_layers": 2}, {"audio_layers": 3, "text_layers": 2}),
        ({"mels": 128, "vocabulary": 51_866}, {"mels": 128, "vocabulary": 51_866}),
        ({"width": 8, "heads": 4}, {"text_width": 8, "text_heads": 4}),
    ],
)
def test_a_whole_model_is_whole(write_ggml, dimensions, told):
    header = check_whole(write_ggml(**dimensions))
    assert {name: getattr(header, name) for name in told} == told


def test_a_real_model_is_whole(whisper_model):
    assert check_whole(whisper_model).audio_width == 128


def test_without_its_last_tensor_a_model_is_not_whole(write_ggml):
    """The file then ends where a tensor ends: only their number tells."""
    file = write_ggml()
    data = file.read_bytes()
    for name, dimensions in ((b"decoder.blocks.0.mlp.2.bias", 1), (b"encoder.positional_embedding", 2)):
        os.truncate(file, data.index(name) - 4 * (3 + dimensions))
        with pytest.raises(ModelError, match="cut short"):
            check_whole(file)


@pytest.mark.parametrize(
    ("ftype", "words"),
    [(0, "32-bit weights"), (2007, "query.weight is stored as f16, expected is q8_0"), (2012, "expected is q4_k")],
    ids=["f32", "q8_0", "q4_k"],
)
def test_weights_at_which_whisper_cpp_gives_up_are_refused(write_ggml, ftype, words):
    """Of the first it ends the process when it hears something, of the last when it loads the model."""
    file = write_ggml()
    with file.open("r+b") as handle:
        handle.seek(HEADER_SIZE - 4)
        handle.write(struct.pack("<i", ftype))
    with pytest.raises(ModelError, match=words) as caught:
        check_whole(file)
    assert caught.value.file == str(file)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(data=st.data())
def test_no_beginning_of_a_model_is_whole(write_ggml, data):
    file = write_ggml()
    os.truncate(file, data.draw(st.integers(0, file.stat().st_size - 1)))
    with pytest.raises(ModelError) as caught:
        check_whole(file)
    assert caught.value.file == str(file)


def test_bytes_after_the_last_tensor_are_damage(write_ggml):
    file = write_ggml()
    with file.open("ab") as handle:
        handle.write(b"more than should be here")
    with pytest.raises(ModelError, match="damaged"):
        check_whole(file)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(place=st.integers(0, 2000), value=st.integers(-(2**31), 2**31 - 1))
def test_any_number_among_the_lengths_is_taken_or_refused(write_ggml, place, value):
    file = write_ggml()
    with file.open("r+b") as handle:
        handle.seek(VOCABULARY_AT + place)
        handle.write(struct.pack("<i", value))
    with contextlib.suppress(ModelError):
        assert check_whole(file).weights == "f16"
