import math
import os
import shutil
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from trax.errors import DiskFull, ModelError, StorageError
from trax.files import copy, locked, sha256_of
from trax.models.adding import add
from trax.models.catalogue import File, catalogue
from trax.models.gathering import Source
from trax.models.pulling import pull
from trax.models.store import installed, survey, verify


def test_a_model_of_ones_own_is_added(write_ggml, state_models):
    file = write_ggml("ggml-My Own (v2).bin")
    model = add(file, state_models)
    assert model.name == "my-own-v2"
    assert (model.kind, model.engine, model.scope, model.languages) == ("asr", "whisper", "open", ("en",))
    assert (model.licence, model.source) == ("unknown", "added by hand")
    assert model.settings == {"weights": "f16", "parameters": 112, "audio_context": 1500, "mels": 80}
    assert model.sha256 == sha256_of(file)
    assert model.path == str(state_models / "my-own-v2" / "model.bin")
    assert sha256_of(state_models / "my-own-v2" / "model.bin") == model.sha256
    assert stat.S_IMODE(Path(model.path).stat().st_mode) == 0o640
    assert model in installed(state_models)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_root_adds_belongs_to_the_user_of_the_service(write_ggml, state_models):
    state_models.parent.mkdir(exist_ok=True)
    os.chown(state_models.parent, 4711, 4712)
    folder = Path(add(write_ggml(), state_models).path).parent
    for path in (state_models, state_models / ".lock", folder, *folder.iterdir()):
        assert (path.stat().st_uid, path.stat().st_gid) == (4711, 4712)


def test_what_the_user_tells_goes_before_all_else(write_ggml, state_models):
    file = write_ggml(vocabulary=51865)
    told = {"name": "numbers", "scope": "digits", "languages": ["en", "de"], "licence": "CC0-1.0", "source": "our own"}
    model = add(file, state_models, **told)
    assert {key: value for key, value in model.to_plain().items() if key in told} == told


@pytest.fixture
def download(write_ggml, monkeypatch) -> Path:
    """A file under a name of its own that the catalogue knows as distil-large-v3 by its hash, to be quantised."""
    file = write_ggml("download.bin", vocabulary=51866, width=32)
    known = catalogue()["distil-large-v3"]
    assert known.quantise == "q8_0"
    entry = known.model_copy(update={"files": (File(name="ggml.bin", sha256=sha256_of(file)),)})
    others = [each for each in catalogue().models if each.name != known.name]
    changed = catalogue().model_copy(update={"models": (*others, entry)})
    for module in ("adding", "pulling"):
        monkeypatch.setattr(f"trax.models.{module}.catalogue", lambda: changed)
    return file


def test_a_file_of_the_catalogue_brings_its_card_along(download, state_models):
    model, known = add(download, state_models), catalogue()["distil-large-v3"]
    assert (model.name, model.languages, model.licence, model.source) == (known.name, ("en",), "MIT", known.source)


def test_it_becomes_what_a_pull_would_make_of_it(download, state_models, watcher, tmp_path):
    shutil.copy(download, tmp_path / "ggml.bin")
    pulled = pull("distil-large-v3", tmp_path / "other", Source("https://nowhere.invalid", folder=tmp_path), watcher).model
    added = add(download, state_models)
    assert added.settings["weights"] == "q8_0"
    assert added.size < download.stat().st_size
    assert added.pulled["files"] == {"ggml.bin": sha256_of(download)}
    assert replace(added, path=None) == replace(pulled, path=None)
    assert {path.name for path in Path(added.path).parent.iterdir()} == {"model.bin", "card.json"}
    assert verify(state_models) == ()
    again = pull("distil-large-v3", state_models, Source("https://nowhere.invalid", folder=tmp_path / "nothing"), watcher)
    assert (again.model, again.is_new) == (added, False)


def test_from_another_folder_it_is_the_same(download, state_models, tmp_path):
    first = add(download, state_models)
    (tmp_path / "elsewhere").mkdir()
    assert add(download.rename(tmp_path / "elsewhere" / "ggml.bin"), state_models) == first


def test_under_another_name_it_stays_as_it_is(download, state_models):
    model = add(download, state_models, name="mine")
    assert (model.sha256, model.settings["weights"], model.pulled) == (sha256_of(download), "f16", {})


def test_a_file_named_like_a_known_model_must_be_that_model(write_ggml, state_models):
    file = write_ggml("ggml-tiny.en-q8_0.bin")
    with pytest.raises(ModelError, match=r"not that model.*--name"):
        add(file, state_models)
    assert [path.name for path in state_models.iterdir()] == [".lock"]
    assert add(file, state_models, name="mine").licence == "unknown"


def test_a_real_model_is_added(whisper_model, state_models):
    model = add(whisper_model, state_models, scope="digits")
    assert (model.name, model.scope, model.size) == ("digits-q8_0", "digits", whisper_model.stat().st_size)


def test_adding_the_same_again_changes_nothing(write_ggml, state_models):
    file = write_ggml()
    first = add(file, state_models)
    before = (state_models / "own" / "card.json").stat()
    assert add(file, state_models) == first
    assert (state_models / "own" / "card.json").stat().st_mtime_ns == before.st_mtime_ns


def test_a_taken_name_stays_with_its_model(write_ggml, state_models):
    first = add(write_ggml(), state_models)
    with pytest.raises(ModelError, match="another model named own"):
        add(write_ggml("other.bin", width=4), state_models, name="own")
    assert first in installed(state_models)


def test_a_link_is_followed_and_gives_its_name(write_ggml, state_models, tmp_path):
    link = tmp_path / "ggml-linked.bin"
    link.symlink_to(write_ggml("5bc2b386"))
    assert add(link, state_models).name == "linked"
    assert not (state_models / "linked" / "model.bin").is_symlink()


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"name": "../escape"}, "cannot be the name"),
        ({"name": ".hidden"}, "cannot be the name"),
        ({"name": "Upper"}, "cannot be the name"),
        ({"scope": "all sorts"}, "cannot be the scope"),
        ({"name": "ge2e"}, "built-in model"),
        ({"languages": ["de"]}, "lacks de: it has only English"),
    ],
)
def test_what_cannot_be_is_refused_and_leaves_nothing(write_ggml, state_models, told, words):
    with pytest.raises(ModelError, match=words):
        add(write_ggml(), state_models, **told)
    assert [path.name for path in state_models.iterdir()] == [".lock"]


@pytest.mark.parametrize("lost", [1, 1000, 200_000, 900_000])
def test_a_download_that_was_cut_short_is_refused(write_ggml, state_models, lost):
    file = write_ggml()
    os.truncate(file, file.stat().st_size - lost)
    with pytest.raises(ModelError, match=r"cut short.*Download the model again") as caught:
        add(file, state_models)
    assert caught.value.file == str(file)
    assert not state_models.exists()


def test_a_file_that_changes_while_it_is_copied_is_refused(write_ggml, state_models, monkeypatch):
    file = write_ggml()

    def copy_while_it_shrinks(source, target):
        os.truncate(source, 500_000)
        return copy(source, target)

    monkeypatch.setattr("trax.models.adding.files.copy", copy_while_it_shrinks)
    with pytest.raises(ModelError, match="changed while it was copied") as caught:
        add(file, state_models)
    assert caught.value.file == str(file)
    assert [path.name for path in state_models.iterdir()] == [".lock"]


def test_a_window_goes_into_the_card(write_ggml, state_models):
    file = write_ggml()
    model = add(file, state_models, window_seconds=6.0)
    assert model.settings["window_seconds"] == 6.0
    assert model in installed(state_models)
    assert "window_seconds" not in add(file, state_models, name="another").settings


@pytest.mark.parametrize("seconds", [0.0, 1.0, 30.5, -6.0, math.nan, math.inf])
def test_a_window_that_whisper_cannot_hear_is_refused(write_ggml, state_models, seconds):
    with pytest.raises(ModelError, match="between 2 and 30 seconds"):
        add(write_ggml(), state_models, window_seconds=seconds)
    assert not state_models.exists()


def test_other_files_are_refused(tmp_path, state_models):
    text = tmp_path / "notes.txt"
    text.write_text("not a model " * 100)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for path, words in ((text, "not a Whisper ggml file"), (fifo, "regular"), (tmp_path, "regular"), (tmp_path / "none", "cannot be read")):
        with pytest.raises(ModelError, match=words) as caught:
            add(path, state_models)
        assert caught.value.file == str(path)
    assert not state_models.exists()


def test_what_an_interrupted_add_left_is_cleared_away(write_ggml, state_models):
    half = state_models / ".adding-0000"
    half.mkdir(parents=True)
    (half / "model.bin").write_bytes(b"half")
    assert survey(state_models).findings == ()
    add(write_ggml(), state_models)
    assert not half.exists()


def test_two_at_once_do_not_meet(write_ggml, state_models):
    state_models.mkdir(parents=True)
    with locked(state_models / ".lock") as ours:
        assert ours
        with pytest.raises(ModelError, match="Another model is being added"):
            add(write_ggml(), state_models)


def test_a_failing_disk_leaves_no_model(write_ggml, state_models, monkeypatch):
    def fail(_path, _data):
        raise StorageError("The disk is gone.")

    monkeypatch.setattr("trax.models.installing.files.write_bytes", fail)
    with pytest.raises(StorageError):
        add(write_ggml(), state_models)
    assert [path.name for path in state_models.iterdir()] == [".lock"]


def test_a_full_disk_is_told_with_what_to_do(write_ggml, state_models, monkeypatch):
    def full(_source, target):
        raise DiskFull("Could not write: No space left on device.", file=str(target))

    monkeypatch.setattr("trax.models.adding.files.copy", full)
    with pytest.raises(DiskFull, match="Make room on the disk and add it again"):
        add(write_ggml(), state_models)
    assert [path.name for path in state_models.iterdir()] == [".lock"]
