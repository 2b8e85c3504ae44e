"""Through whisper.cpp, a model says the same words in whichever way its weights are stored, and from wherever they come."""

from __future__ import annotations

import pytest
from hugging_face import lay_out
from safetensors.numpy import save_file

from trax.models.ggml.file import read, write
from trax.models.ggml.hugging_face import converted
from trax.models.ggml.quantize import quantized

TALK = (12, 6.0)  # digits, seconds of a window


@pytest.fixture
def expected(hear, whisper_model) -> list[str]:
    words = [word.text for word in hear(whisper_model, *TALK)]
    assert len(words) >= 10
    return words


@pytest.mark.parametrize("kind", ["f16", "q8_0", "q5_0"])
def test_the_words_stay(hear, whisper_model, tmp_path, expected, kind):
    write(quantized(quantized(read(whisper_model), "f16"), kind), tmp_path / "model.bin")
    assert [word.text for word in hear(tmp_path / "model.bin", *TALK)] == expected


def test_from_hugging_face_come_the_same_words(hear, whisper_model, tmp_path, expected):
    save_file(lay_out(read(whisper_model), tmp_path / "theirs"), tmp_path / "theirs" / "model.safetensors")
    model = converted(tmp_path / "theirs")
    assert model.vocabulary == read(whisper_model).vocabulary
    write(quantized(model, "q8_0"), tmp_path / "model.bin")
    assert [word.text for word in hear(tmp_path / "model.bin", *TALK)] == expected
