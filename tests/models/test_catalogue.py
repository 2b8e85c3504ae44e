import pytest
import yaml

from trax.errors import ModelError
from trax.models.catalogue import catalogue, read_catalogue
from trax.models.ggml.header import LANGUAGES
from trax.shipped import shipped

ENTRY = {
    "name": "whisper-own",
    "kind": "asr",
    "engine": "whisper",
    "origin": "download",
    "files": ["ggml-own.bin"],
    "languages": ["en"],
    "licence": "MIT",
    "source": "https://example.org/ggml-own.bin",
}


def write(folder, *entries):
    path = folder / "catalogue.yaml"
    path.write_text(yaml.safe_dump({"models": list(entries)}), encoding="utf-8")
    return path


def test_what_comes_with_trax_is_in_the_catalogue():
    assert [entry.name for entry in catalogue().models if entry.origin != "download"] == ["pocketsphinx-en-us", "silero-vad", "ge2e"]
    assert catalogue()["ge2e"].settings == {"threshold": 0.37}


def test_whisper_entries_say_what_a_user_must_know():
    whisper = [entry for entry in catalogue().models if entry.engine == "whisper"]
    assert {"whisper-tiny.en-q8_0", "whisper-small.en-q8_0", "whisper-distil-large-v3", "whisper-large-v3-turbo-q8_0"} <= {
        entry.name for entry in whisper
    }
    for entry in whisper:
        assert entry.scope == "open"
        assert entry.licence == "MIT"
        assert entry.sha256
        assert entry.size
        assert entry.source.endswith(entry.files[0])


def test_multilingual_entries_list_the_languages_of_whisper():
    assert catalogue()["whisper-tiny-q8_0"].languages == LANGUAGES[:99]
    assert catalogue()["whisper-large-v3-turbo-q8_0"].languages == LANGUAGES


def test_a_model_that_cannot_be_loaded_yet_says_so():
    assert [entry.name for entry in catalogue().models if not entry.loadable] == ["wespeaker-resnet34"]


def test_an_unknown_name_is_a_key_error():
    with pytest.raises(KeyError):
        catalogue()["whisper-huge"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": "tts"}, "kind"),
        ({"engine": "kaldi"}, "no engine 'kaldi'"),
        ({"sha256": "abc"}, "sha256"),
        ({"size": "big"}, "size"),
        ({"url": "https://example.org"}, "url"),
        ({"origin": "wheel"}, "package"),
        ({"package": "x"}, "package"),
        ({"files": ["a", "b"]}, "several files"),
        ({"languages": ["English"]}, "languages"),
    ],
)
def test_mistakes_are_told_in_words(tmp_path, change, words):
    with pytest.raises(ModelError, match=words):
        read_catalogue(write(tmp_path, {**ENTRY, **change}))


@pytest.mark.parametrize("same", ["name", "file", "sha256"])
def test_two_models_must_differ(tmp_path, same):
    one = {**ENTRY, "sha256": "a" * 64}
    other = {**ENTRY, "name": "other", "files": ["other.bin"], "sha256": "b" * 64}
    key = "files" if same == "file" else same
    with pytest.raises(ModelError, match=f"same {same}"):
        read_catalogue(write(tmp_path, one, {**other, key: one[key]}))


@pytest.mark.parametrize("data", [b"models: [", b"", b"[]", b"\xff\xfe"])
def test_a_catalogue_that_is_no_catalogue_is_refused(tmp_path, data):
    (tmp_path / "catalogue.yaml").write_bytes(data)
    with pytest.raises(ModelError):
        read_catalogue(tmp_path / "catalogue.yaml")


def test_a_file_is_known_by_its_hash_whatever_it_is_called():
    known = catalogue()["whisper-tiny.en-q8_0"]
    assert catalogue().identify("my download (2).bin", known.sha256) == known


def test_a_known_name_with_other_bytes_is_refused():
    with pytest.raises(ModelError, match="not that model"):
        catalogue().identify("ggml-tiny.en-q8_0.bin", "0" * 64)


def test_a_known_name_without_a_published_hash_is_taken(tmp_path):
    assert read_catalogue(write(tmp_path, ENTRY)).identify("ggml-own.bin", "0" * 64).name == "whisper-own"


def test_an_unknown_file_is_unknown():
    assert catalogue().identify("ggml-own.bin", "0" * 64) is None


def test_the_catalogue_is_shipped():
    assert (shipped("models") / "catalogue.yaml").is_file()
