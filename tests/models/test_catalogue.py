import re

import pytest
import yaml

from trax.errors import ModelError
from trax.files import sha256_of
from trax.languages import LANGUAGES
from trax.models.catalogue import catalogue, read_catalogue
from trax.shipped import shipped

ENTRY = {
    "name": "own",
    "kind": "asr",
    "engine": "whisper",
    "origin": "download",
    "files": ["ggml-own.bin"],
    "languages": ["en"],
    "licence": "MIT",
    "source": "https://example.org/models",
}
OTHER = {**ENTRY, "name": "other", "files": ["ggml-other.bin"]}


def write(folder, *entries, **more):
    path = folder / "catalogue.yaml"
    path.write_text(yaml.safe_dump({"models": list(entries), **more}), encoding="utf-8")
    return path


def test_what_comes_with_trax_is_in_the_catalogue():
    origins = {entry.name: entry.origin for entry in catalogue().models if entry.origin != "download"}
    assert origins == {
        "pocketsphinx-en-us": "wheel", "silero-vad": "wheel", "ge2e": "setup", "digits-fast": "shipped", "digits": "shipped",
    }  # fmt: skip
    assert catalogue()["ge2e"].settings == {"threshold": 0.32, "profile_accept": 0.83, "profile_suggest": 0.75}


def test_every_shipped_file_that_lies_there_is_known_by_its_hash():
    for entry in catalogue().models:
        for file in entry.files if entry.origin in ("shipped", "setup") else ():
            path = shipped("models") / file.name
            if path.is_file():
                assert (path.stat().st_size, sha256_of(path)) == (file.size, file.sha256), entry.name


def test_entries_to_pull_say_what_a_user_must_know():
    downloads = [entry for entry in catalogue().models if entry.origin == "download" and entry.kind == "asr"]
    assert {"distil-small.en", "distil-large-v3", "large-v3-turbo", "small.en", "base.en", "tiny.en"} <= {entry.name for entry in downloads}
    assert {"medium.en", "distil-medium.en", "distil-large-v3.5"} <= {entry.name for entry in downloads}
    assert {"tiny", "base", "small", "medium", "large-v3"} <= {entry.name for entry in downloads}
    for entry in downloads:
        assert (entry.scope, entry.licence) == ("open", "MIT"), entry.name
        assert entry.size, entry.name
        assert entry.memory_mb, entry.name


def test_models_of_voices_to_pull_are_known_by_their_hash_and_say_how_they_are_used():
    voices = {entry.name: entry for entry in catalogue().models if entry.origin == "download" and entry.kind != "asr"}
    assert {name: (entry.kind, entry.engine) for name, entry in voices.items()} == {
        "wespeaker-resnet34": ("embedding", "wespeaker"),
        "wespeaker-campplus": ("embedding", "wespeaker"),
        "pyannote-segmentation-3.0": ("segmentation", "pyannet"),
    }
    for entry in voices.values():
        assert entry.files[0].sha256, entry.name
        assert entry.size, entry.name
        wanted = {"threshold", "dimension"} if entry.kind == "embedding" else {"speakers", "at_once", "frame_step", "frame_duration"}
        assert wanted <= entry.settings.keys(), entry.name
    assert voices["wespeaker-campplus"].address(voices["wespeaker-campplus"].files[0]).endswith("/voxceleb_CAM%2B%2B_LM.onnx")


def test_models_to_pull_are_kept_in_few_bits():
    """Either so published, or quantised here: none stays as large as it was trained."""
    for entry in catalogue().models:
        if entry.origin == "download" and entry.kind == "asr":
            assert (entry.quantise is None) == entry.files[0].name.endswith(("-q8_0.bin", "-q5_0.bin")), entry.name


def test_a_file_lies_in_the_folder_of_its_source_at_a_fixed_revision():
    entry = catalogue()["distil-small.en"]
    address = entry.address(entry.files[0])
    assert address.startswith("https://huggingface.co/distil-whisper/distil-small.en/resolve/9e4a67ca")
    assert address.endswith("/ggml-distil-small.en.bin")
    for other in catalogue().models:
        if other.origin == "download" and other.loadable:
            assert re.search(r"/resolve/[0-9a-f]{40}(/\w+)?$", other.source), other.name


def test_the_default_pair():
    (default,) = [pair for pair in catalogue().pairs if pair.default]
    assert (default.fast, default.refine) == ("distil-small.en", "distil-large-v3")
    assert {catalogue()[name].quantise for name in (default.fast, default.refine)} == {"q8_0"}
    assert ("digits-fast", "digits") in [(pair.fast, pair.refine) for pair in catalogue().pairs]


def test_multilingual_entries_list_the_languages_of_whisper():
    assert catalogue()["tiny"].languages == LANGUAGES[:99]
    assert catalogue()["large-v3-turbo"].languages == LANGUAGES


def test_every_model_that_is_known_can_be_loaded():
    assert all(entry.loadable for entry in catalogue().models)


def test_an_unknown_name_is_a_key_error():
    with pytest.raises(KeyError):
        catalogue()["huge"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": "tts"}, "kind"),
        ({"engine": "kaldi"}, "no engine 'kaldi'"),
        ({"files": [{"name": "a", "sha256": "abc"}]}, "sha256"),
        ({"files": [{"name": "a", "size": "big"}]}, "size"),
        ({"files": [{"size": 5}]}, "name"),
        ({"source": "http://example.org"}, "https"),
        ({"quantise": "q4_0"}, "quantise"),
        ({"convert": "onnx"}, "convert"),
        ({"origin": "shipped", "quantise": "q8_0"}, "only what is downloaded"),
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
    one, other = {"name": "own.bin", "sha256": "a" * 64}, {"name": "other.bin", "sha256": "b" * 64}
    if same != "name":
        key = "name" if same == "file" else same
        other[key] = one[key]
    name = "own" if same == "name" else "other"
    with pytest.raises(ModelError, match=f"same {same}"):
        read_catalogue(write(tmp_path, {**ENTRY, "files": [one]}, {**OTHER, "name": name, "files": [other]}))


def test_files_of_one_name_in_two_places_are_two_files(tmp_path):
    elsewhere = {**OTHER, "files": ENTRY["files"], "source": "https://example.org/more"}
    assert len(read_catalogue(write(tmp_path, ENTRY, elsewhere)).models) == 2


def test_what_is_converted_has_several_files(tmp_path):
    files = [{"name": "config.json"}, {"name": "model.safetensors", "size": 5, "sha256": "a" * 64}]
    (entry,) = read_catalogue(write(tmp_path, {**ENTRY, "files": files, "convert": "hugging-face", "quantise": "q8_0"})).models
    assert [entry.address(file) for file in entry.files][1] == "https://example.org/models/model.safetensors"
    assert entry.size is None


@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        ([{"fast": "own", "refine": "huge", "default": True}], "huge, which is no model"),
        ([{"fast": "own", "refine": "other"}], "not exactly one pair is the default"),
        ([{"fast": "own", "refine": "other", "default": True}] * 2, "not exactly one pair is the default"),
        ([{"fast": "own", "refine": "german", "default": True}], "german does not take all that own takes"),
        ([{"fast": "own", "refine": "digits", "default": True}], "digits does not take all that own takes"),
    ],
)
def test_pairs_that_are_none_are_refused(tmp_path, pairs, words):
    german = {**ENTRY, "name": "german", "files": ["ggml-german.bin"], "languages": ["de"]}
    digits = {**ENTRY, "name": "digits", "files": ["ggml-digits.bin"], "scope": "digits"}
    with pytest.raises(ModelError, match=words):
        read_catalogue(write(tmp_path, ENTRY, OTHER, german, digits, pairs=pairs))


@pytest.mark.parametrize("data", [b"models: [", b"", b"[]", b"\xff\xfe"])
def test_a_catalogue_that_is_no_catalogue_is_refused(tmp_path, data):
    (tmp_path / "catalogue.yaml").write_bytes(data)
    with pytest.raises(ModelError):
        read_catalogue(tmp_path / "catalogue.yaml")


def test_a_file_is_known_by_its_hash_whatever_it_is_called():
    known = catalogue()["tiny.en"]
    assert catalogue().identify("my download (2).bin", known.files[0].sha256) == known


def test_a_known_name_with_other_bytes_is_refused():
    with pytest.raises(ModelError, match="not that model"):
        catalogue().identify("ggml-tiny.en-q8_0.bin", "0" * 64)


def test_a_known_name_without_a_published_hash_is_taken(tmp_path):
    assert read_catalogue(write(tmp_path, ENTRY)).identify("ggml-own.bin", "0" * 64).name == "own"


def test_an_unknown_file_is_unknown():
    assert catalogue().identify("ggml-own.bin", "0" * 64) is None


def test_the_catalogue_is_shipped():
    assert (shipped("models") / "catalogue.yaml").is_file()
