"""A hash that nobody published is pinned at the first pull."""

import json
from pathlib import Path

import pytest
from file_server import Served
from published import FILE, MODEL, left

from trax.errors import ModelError
from trax.files import sha256_of
from trax.models.catalogue import Entry, File
from trax.models.store import survey

pytestmark = pytest.mark.usefixtures("unknown")


@pytest.fixture
def unknown(server, publish, file) -> Entry:
    server.files[MODEL] = Served(file.read_bytes())
    return publish(File(name=FILE))


def test_a_hash_that_nobody_published_is_pinned_and_told(pull_it, state_models, file, watcher):
    model = pull_it().model
    assert model.pulled["pinned"] == [FILE]
    assert json.loads((state_models / ".pins.json").read_text()) == {"own": {FILE: sha256_of(file)}}
    assert sha256_of(file) in watcher.notes[-1]
    assert survey(state_models).findings == ()


def test_what_comes_later_must_have_it(pull_it, server, state_models, file, write_ggml):
    for path in Path(pull_it().model.path).parent.iterdir():
        path.unlink()
    (state_models / "own").rmdir()
    server.files[MODEL] = Served(write_ggml("other.bin", width=4).read_bytes())
    with pytest.raises(ModelError, match=f"at the first pull it was {sha256_of(file)}.*pins.json"):
        pull_it()
    server.files[MODEL] = Served(file.read_bytes())
    model = pull_it().model
    assert (model.sha256, model.pulled["pinned"]) == (sha256_of(file), [])


def test_what_is_no_model_is_not_pinned_and_not_kept(pull_it, server, state_models, file):
    server.files[MODEL] = Served(file.read_bytes()[:-1000])
    with pytest.raises(ModelError, match="cut short"):
        pull_it()
    assert left(state_models) == {".downloads/own.lock"}
    server.files[MODEL] = Served(file.read_bytes())
    assert pull_it().is_new


@pytest.mark.parametrize("damage", ["{", "[]", '{"own": {"ggml-own.bin": "x"}}', '{"own": 3}'])
def test_damaged_pins_are_told(pull_it, state_models, server, damage):
    state_models.mkdir(parents=True)
    (state_models / ".pins.json").write_text(damage)
    with pytest.raises(ModelError, match=r"pinned hashes is damaged"):
        pull_it()
    assert server.asked == []
