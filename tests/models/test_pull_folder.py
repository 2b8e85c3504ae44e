"""Pulling from a folder, where no network is."""

import shutil
from pathlib import Path

import pytest
from published import FILE, INSTALLED, PARTS, left, weights

from trax.errors import ModelError
from trax.files import sha256_of
from trax.models.catalogue import File

pytestmark = pytest.mark.usefixtures("served")


def test_the_file_of_the_catalogue_is_found_and_stays(pull_it, server, file, state_models):
    model = pull_it(folder=file.parent).model
    assert (model.sha256, model.pulled["from"]) == (sha256_of(file), str(file.parent))
    assert file.is_file()
    assert server.asked == []
    assert left(state_models) == INSTALLED


def test_a_folder_of_hugging_face_is_converted(pull_it, theirs, file):
    model = pull_it(folder=theirs).model
    assert weights(Path(model.path)) == weights(file)
    assert model.pulled["pinned"] == sorted(PARTS)
    assert not pull_it(folder=theirs).is_new


def test_another_file_is_refused_and_stays(pull_it, tmp_path, write_ggml):
    path = write_ggml(FILE)
    with pytest.raises(ModelError, match="the published one is"):
        pull_it(folder=tmp_path)
    assert path.is_file()


def test_a_model_of_other_languages_is_refused(publish, pull_it, theirs, state_models):
    publish(File(name=FILE), languages=["en", "de"])
    with pytest.raises(ModelError, match="not own: its vocabulary lacks de"):
        pull_it(folder=theirs)
    assert left(state_models) == {".downloads/own.lock"}


def test_the_file_itself_will_do_under_any_name(pull_it, tmp_path, file):
    carried = tmp_path / "ggml (1).bin"
    shutil.copy(file, carried)
    assert pull_it(folder=carried).model.sha256 == sha256_of(file)


def test_an_empty_one_is_told_with_what_it_should_hold(pull_it, tmp_path):
    with pytest.raises(ModelError, match=f"not in this folder.*{FILE}.*config.json"):
        pull_it(folder=tmp_path)


def test_one_that_is_not_there_is_told(pull_it, tmp_path):
    with pytest.raises(ModelError, match=r"no such folder.*mounted"):
        pull_it(folder=tmp_path / "usb")
