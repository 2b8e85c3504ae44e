import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trax.errors import ModelError
from trax.languages import LANGUAGES
from trax.models.ggml.header import HEADER_SIZE, WhisperHeader, parse_header

TINY_EN_Q8 = (51864, 1500, 384, 6, 4, 448, 384, 6, 4, 80, 2007)


def pack(*numbers: int, magic: int = 0x67676D6C) -> bytes:
    return struct.pack("<I11i", magic, *numbers)


def changed(index: int, value: int) -> bytes:
    return pack(*(value if at == index else number for at, number in enumerate(TINY_EN_Q8)))


def test_the_dimensions_of_a_model_are_read():
    header = parse_header(pack(*TINY_EN_Q8))
    assert header == WhisperHeader(51864, 1500, 384, 6, 4, 448, 384, 6, 4, 80, "q8_0")
    assert header.languages == ("en",)


def test_a_real_model_is_recognised(whisper_model):
    with whisper_model.open("rb") as handle:
        header = parse_header(handle.read(HEADER_SIZE))
    assert (header.weights, header.languages, header.audio_width) == ("q8_0", ("en",), 128)


@pytest.mark.parametrize(("vocabulary", "count"), [(51864, 1), (51865, 99), (51866, 100)])
def test_the_vocabulary_tells_the_languages(vocabulary, count):
    languages = parse_header(changed(0, vocabulary)).languages
    assert languages == LANGUAGES[:count]
    assert len(set(languages)) == count


def test_the_languages_are_those_of_whisper_cpp():
    engine = pytest.importorskip("_pywhispercpp")
    assert tuple(engine.whisper_lang_str(index) for index in range(engine.whisper_lang_max_id() + 1)) == LANGUAGES


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "0 bytes"),
        (pack(*TINY_EN_Q8)[:-1], "47 bytes"),
        (b"GGUF" + bytes(60), "GGUF"),
        (b"PK\x03\x04" + bytes(60), "PyTorch"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS"),
        (b"<!doctype html><html>" + bytes(60), "web page"),
        (b"RIFF" + bytes(60), "mark"),
        (changed(0, 32000), "vocabulary is 32000"),
        (changed(1, 0), "audio context is 0"),
        (changed(2, 385), "widths"),
        (changed(3, 5), "heads"),
        (changed(4, -4), "audio layers is -4"),
        (changed(9, 40), "mels is 40"),
        (changed(10, 5), "ftype 5"),
        (changed(10, 1007), "ftype 1007"),
        (changed(10, -1), "ftype -1"),
    ],
)
def test_what_is_no_whisper_model_is_refused_in_words(data, words):
    with pytest.raises(ModelError, match=words):
        parse_header(data)


@given(st.binary(max_size=80) | st.binary(max_size=60).map(lambda tail: pack(*TINY_EN_Q8)[: HEADER_SIZE - len(tail)] + tail))
def test_any_bytes_are_read_or_refused(data):
    with contextlib.suppress(ModelError):
        header = parse_header(data)
        assert header.languages[0] == "en"


@given(
    width=st.integers(1, 1024).flatmap(lambda heads: st.tuples(st.just(min(heads, 256)), st.integers(1, 8))),
    layers=st.integers(1, 128),
    vocabulary=st.sampled_from([51864, 51865, 51866]),
    mels=st.sampled_from([80, 128]),
    ftype=st.sampled_from([0, 1, 2002, 2007, 2014, 8]),
)
def test_any_plausible_dimensions_come_back(width, layers, vocabulary, mels, ftype):
    heads, each = width
    header = parse_header(pack(vocabulary, 1500, heads * each, heads, layers, 448, heads * each, heads, layers, mels, ftype))
    assert (header.vocabulary, header.audio_width, header.text_layers, header.mels) == (vocabulary, heads * each, layers, mels)
    assert header.parameters == 28 * layers * (heads * each) ** 2
