"""Where files are asked for, and where a token may be shown."""

from __future__ import annotations

import pytest

from trax.errors import ModelError
from trax.models.catalogue import Entry, File, catalogue
from trax.models.places import HUB, addresses, is_address, may_see_token

PLAIN = catalogue()["small.en"]
SOURCE = "https://huggingface.co/openai/whisper-tiny/resolve/main"


def parts() -> Entry:
    files = (File(name="config.json"), File(name="weights/model.safetensors"))
    return PLAIN.model_copy(update={"source": SOURCE, "files": files, "convert": "hugging-face"})


def test_they_lie_where_the_catalogue_says():
    (address,) = addresses(PLAIN).values()
    assert address == f"{PLAIN.source}/ggml-small.en-q8_0.bin"
    assert dict(addresses(parts())) == {name: f"{SOURCE}/{name}" for name in ("config.json", "weights/model.safetensors")}


@pytest.mark.parametrize("mirror", ["https://mirror.example/hf", "https://mirror.example/hf/"])
def test_a_mirror_takes_the_place_of_hugging_face(mirror):
    (address,) = addresses(PLAIN, mirror=mirror).values()
    assert address == f"https://mirror.example/hf{PLAIN.source.removeprefix(HUB)}/ggml-small.en-q8_0.bin"


def test_but_of_no_other_source():
    entry = PLAIN.model_copy(update={"source": "https://huggingface.com/x"})
    assert list(addresses(entry, mirror="https://mirror.example").values()) == ["https://huggingface.com/x/ggml-small.en-q8_0.bin"]


@pytest.mark.parametrize("base", ["http://files.example/models", "http://files.example/models/"])
def test_below_an_address_they_lie_side_by_side(base):
    assert list(addresses(parts(), base=base).values()) == [
        "http://files.example/models/config.json",
        "http://files.example/models/model.safetensors",
    ]


def test_of_a_single_file_the_address_itself_will_do():
    address = "https://files.example/ggml-small.en-q8_0.bin"
    assert list(addresses(PLAIN, base=address).values()) == [address]


@pytest.mark.parametrize(
    "base", ["ftp://files.example", "https://me:hush@files.example", "https://files.example/?key=1", "https://a b", "://"]
)
def test_what_is_no_address_is_refused(base):
    assert is_address(base)
    with pytest.raises(ModelError, match="no address to pull from"):
        addresses(PLAIN, base=base)


def test_a_token_is_for_hugging_face_and_its_mirror_where_nobody_can_read_it():
    mirror = "https://mirror.example/hf"
    assert may_see_token(f"{HUB}/x")
    assert may_see_token(f"{mirror}/x", mirror=mirror)
    assert not may_see_token("https://mirror.example/other", mirror=mirror)
    assert not may_see_token("https://huggingface.co.example/x")
    assert not may_see_token("http://mirror.example/x", mirror="http://mirror.example")
