import re

import pytest

from trax import files
from trax.errors import ModelError, StorageError
from trax.models.adding import add
from trax.models.removing import remove
from trax.models.store import installed, survey


@pytest.fixture
def own(write_ggml, state_models):
    """An added model."""
    return add(write_ggml(), state_models)


def test_a_removed_model_is_gone_and_can_be_added_again(own, write_ggml, state_models):
    assert remove(own.name, state_models) == state_models / "own"
    assert own.name not in [model.name for model in installed(state_models)]
    assert {path.name for path in state_models.iterdir()} == {".lock"}
    assert add(write_ggml(), state_models) == own


def test_what_cannot_be_looked_at_is_told(own, state_models):
    with pytest.raises(StorageError, match="look into"):
        remove("n" * 300, state_models)


def test_the_others_stay(own, write_ggml, state_models):
    second = add(write_ggml("ggml-second.bin"), state_models)
    remove(own.name, state_models)
    assert second in installed(state_models)


def test_a_damaged_model_is_removed_too(own, state_models):
    (state_models / own.name / "card.json").unlink()
    assert [finding.model for finding in survey(state_models).findings] == [own.name]
    remove(own.name, state_models)
    assert survey(state_models).findings == ()


def test_who_reads_the_model_at_that_moment_reads_on(own, state_models):
    file = state_models / own.name / "model.bin"
    whole = file.read_bytes()
    with file.open("rb") as reader:
        start = reader.read(1000)
        remove(own.name, state_models)
        assert start + reader.read() == whole


@pytest.mark.parametrize("name", ["pocketsphinx-en-us", "silero-vad", "ge2e", "digits"])
def test_what_came_with_trax_stays(name, state_models):
    with pytest.raises(ModelError, match=r"came with Trax and stays.*pulled or added"):
        remove(name, state_models)


@pytest.mark.parametrize("name", ["no-such", "", ".", "..", "../models", ".lock", "own/card.json", "/etc", "own.bin"])
def test_what_is_no_model_is_refused(name, own, state_models):
    (state_models / "own.bin").write_bytes(b"a file that lies here by itself")
    with pytest.raises(ModelError, match=re.escape(f"no model named {name} to remove")) as caught:
        remove(name, state_models)
    assert "own" in caught.value.advice
    assert own in installed(state_models)


def test_a_link_to_another_folder_is_not_followed(own, state_models, tmp_path):
    (state_models / "link").symlink_to(tmp_path)
    with pytest.raises(ModelError, match="no model named link"):
        remove("link", state_models)
    assert own in installed(state_models)


def test_one_hand_at_a_time(own, state_models):
    with files.locked(state_models / ".lock") as ours:
        assert ours
        with pytest.raises(ModelError, match=r"at this moment.*Try again"):
            remove(own.name, state_models)
    assert own in installed(state_models)


def test_a_removal_that_is_cut_off_leaves_no_half_model(own, write_ggml, state_models, monkeypatch):
    """The folder has lost its name already; what is left of it goes with the next that is added or removed."""
    kill = KeyboardInterrupt()

    def killed(_folder):
        raise kill

    with monkeypatch.context() as patched:
        patched.setattr("trax.models.installing.files.remove_tree", killed)
        with pytest.raises(KeyboardInterrupt):
            remove(own.name, state_models)
    assert own.name not in [model.name for model in installed(state_models)]
    assert survey(state_models).findings == ()
    add(write_ggml("ggml-second.bin"), state_models)
    assert {path.name for path in state_models.iterdir()} == {".lock", "second"}
