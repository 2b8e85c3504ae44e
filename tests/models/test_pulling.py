"""Pulling whole models from a real server: what is installed, what is refused, and what is left."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from file_server import Fault, Served
from networks import lively_bands
from published import FILE, FOLDER, INSTALLED, MODEL, PARTS, left, weights

from trax.errors import Cancelled, DiskFull, ModelError, ModelUnreachable
from trax.files import locked, sha256_of
from trax.models.adding import add
from trax.models.catalogue import File
from trax.models.ggml.file import read
from trax.models.store import installed, survey, verify


def test_a_model_comes_from_a_mirror_and_is_installed(served, pull_it, state_models, file, server):
    pulled = pull_it()
    model = pulled.model
    assert pulled.is_new
    assert (model.name, model.sha256, model.licence, model.scope, model.languages) == ("own", sha256_of(file), "CC0-1.0", "open", ("en",))
    assert (model.source, model.version) == (served.source, model.sha256[:12])
    assert model.pulled == {"from": server.address(), "files": {FILE: model.sha256}, "pinned": []}
    assert model.settings["parameters"] > 0
    assert model in installed(state_models)
    assert verify(state_models) == survey(state_models).findings == ()
    assert left(state_models) == INSTALLED
    assert stat.S_IMODE(Path(model.path).stat().st_mode) == 0o640


def test_what_is_installed_is_not_fetched_again(served, pull_it, server):
    first = pull_it()
    again = pull_it()
    assert (again.model, again.is_new) == (first.model, False)
    assert len(server.asked) == 1


def test_nor_what_was_added_by_hand(served, pull_it, server, state_models, file):
    add(file, state_models, name="own")
    assert not pull_it().is_new
    assert server.asked == []


def test_another_model_of_that_name_stays(served, pull_it, server, state_models, write_ggml):
    add(write_ggml(), state_models)
    with pytest.raises(ModelError, match=r"another model named own.*models remove own"):
        pull_it()
    assert server.asked == []


def test_one_that_is_damaged_is_told(served, pull_it):
    path = Path(pull_it().model.path)
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(ModelError, match=r"has changed.*models remove own"):
        pull_it()
    path.unlink()
    with pytest.raises(ModelError, match=r"missing.*models remove own"):
        pull_it()


def test_another_file_is_refused_and_dropped(served, pull_it, server, state_models, file):
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    server.files[MODEL] = Served(bytes(data))
    with pytest.raises(ModelError, match=f"not the file it has to be.*the published one is {sha256_of(file)}"):
        pull_it()
    assert left(state_models) == {".downloads/own.lock"}
    server.files[MODEL] = Served(file.read_bytes())
    assert pull_it().is_new


def test_what_broke_off_is_kept_for_the_next_pull(served, pull_it, server, state_models, file):
    half = file.stat().st_size // 2
    server.faults.extend([Fault(cut=half), *(Fault(cut=0) for _ in range(4))])
    with pytest.raises(ModelUnreachable, match="what has come is kept"):
        pull_it()
    assert (state_models / ".downloads" / "own" / FILE).stat().st_size == half
    assert survey(state_models).findings == ()
    server.asked.clear()
    assert pull_it().model.sha256 == sha256_of(file)
    assert [headers["range"] for _, headers in server.asked] == [f"bytes={half}-"]


def test_ctrl_c_keeps_what_has_come(served, pull_it, server, watcher, monkeypatch):
    def stop(_file, done, _total):
        if done > 1_000_000:
            raise KeyboardInterrupt

    monkeypatch.setattr(watcher, "advance", stop)
    with pytest.raises(Cancelled, match=r"Stopped; 1\.\d MB of own are kept.*same command again"):
        pull_it()
    monkeypatch.undo()


def test_ctrl_c_before_anything_came_says_so(served, pull_it, watcher, monkeypatch):
    def stop(_file, _done, _total):
        raise KeyboardInterrupt

    monkeypatch.setattr(watcher, "advance", stop)
    with pytest.raises(Cancelled, match="nothing of own was fetched"):
        pull_it()


def test_ctrl_c_while_what_came_is_installed_keeps_it_too(served, pull_it, server, monkeypatch):
    def stop(_path):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("trax.models.pulling.files.sha256_of", stop)
        with pytest.raises(Cancelled, match="MB of own are kept"):
            pull_it()
    assert pull_it().is_new
    assert len(server.asked) == 1


def test_a_second_pull_of_the_same_is_told(served, pull_it, state_models, server):
    (state_models / ".downloads").mkdir(parents=True)
    with locked(state_models / ".downloads" / "own.lock") as ours:
        assert ours
        with pytest.raises(ModelError, match="pulled already at this moment"):
            pull_it()
    assert server.asked == []


def test_it_is_quantised_on_the_way(pull_it, publish, server, file, state_models):
    server.files[MODEL] = Served(file.read_bytes())
    publish(File(name=FILE, sha256=sha256_of(file)), quantise="q8_0")
    model = pull_it().model
    assert model.settings["weights"] == "q8_0"
    assert model.size < file.stat().st_size
    assert model.pulled["files"] == {FILE: sha256_of(file)}
    assert {tensor.kind for tensor in read(Path(model.path)).tensors.values()} == {"q8_0", "f16", "f32"}
    assert verify(state_models) == ()
    assert not pull_it().is_new


def test_it_is_converted_on_the_way(pull_it, publish, server, file, theirs, state_models):
    for name in PARTS:
        server.files[f"{FOLDER}/{name}"] = Served((theirs / name).read_bytes())
    publish(*(File(name=name, sha256=sha256_of(theirs / name)) for name in PARTS), convert="hugging-face")
    model = pull_it().model
    assert weights(Path(model.path)) == weights(file)
    assert set(model.pulled["files"]) == set(PARTS)
    assert left(state_models) == INSTALLED


def test_a_network_comes_as_it_is_and_its_card_says_how_it_is_used(pull_it, publish, server, state_models, tmp_path):
    data = lively_bands(tmp_path / "made.onnx").read_bytes()
    server.files["/some/voices/resolve/main/bands%2B%2B.onnx"] = Served(data)
    told = {"kind": "embedding", "engine": "wespeaker", "languages": ["*"], "settings": {"threshold": 0.6, "dimension": 80}}
    publish(File(name="bands++.onnx", size=len(data)), source="https://huggingface.co/some/voices/resolve/main", **told)
    model = pull_it().model
    assert (model.kind, model.engine, dict(model.settings)) == ("embedding", "wespeaker", told["settings"])
    assert Path(model.path).read_bytes() == data
    assert model in installed(state_models)
    assert verify(state_models) == ()


def test_what_is_no_network_is_not_installed(pull_it, publish, server, state_models):
    server.files[MODEL] = Served(b"no network" * 1000)
    publish(File(name=FILE, size=10_000), kind="segmentation", engine="pyannet", languages=["*"])
    with pytest.raises(ModelError, match="does not load"):
        pull_it()
    assert left(state_models) == {".downloads/own.lock"}


def test_it_comes_from_another_address(served, pull_it, server, file):
    server.files = {f"/files/{FILE}": server.files[MODEL]}
    assert pull_it(base=server.address("/files"), mirror="https://nowhere.invalid").model.pulled["from"] == server.address("/files")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("smal.en", r"no model named 'smal.en'.*Did you mean small.en\?"),
        ("../escape", "no model named"),
        ("ge2e", "models setup"),
        ("silero-vad", "comes with Trax"),
    ],
)
def test_what_cannot_be_pulled_is_told_before_anything_is_made(pull_it, state_models, name, words):
    with pytest.raises(ModelError, match=words):
        pull_it(name)
    assert not state_models.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_root_pulls_belongs_to_the_user_of_the_service(served, pull_it, server, state_models):
    state_models.parent.mkdir()
    os.chown(state_models.parent, 4711, 4712)
    server.faults.extend([Fault(cut=1_000_000), *(Fault(cut=0) for _ in range(4))])
    with pytest.raises(ModelUnreachable):
        pull_it()
    assert all(path.stat().st_uid == 4711 for path in state_models.rglob("*"))
    pull_it()
    assert all((path.stat().st_uid, path.stat().st_gid) == (4711, 4712) for path in state_models.rglob("*"))


def test_lack_of_room_for_what_is_made_is_told_first(pull_it, publish, server, file, monkeypatch):
    size = file.stat().st_size
    server.files[MODEL] = Served(file.read_bytes())
    publish(File(name=FILE, size=size, sha256=sha256_of(file)), quantise="q8_0")
    monkeypatch.setattr("trax.models.download.files.free_bytes", lambda _folder: int(1.5 * size))
    with pytest.raises(DiskFull, match=r"are free.*Make room and give the same command again"):
        pull_it()
