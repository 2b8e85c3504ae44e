"""A checkpoint from a hub: a real server stands for it."""

import pytest
from file_server import Fault, FileServer, Served

from trax.errors import ModelError
from trax.worker.export.hub import address, fetched, is_hub_id

ID = "someone/voices"


class Silence:
    def note(self, text: str) -> None:
        pass

    def advance(self, file: str, done: int, total: int | None) -> None:
        pass


@pytest.fixture
def server():
    serving = FileServer()
    serving.files["/someone/voices/resolve/main/pytorch_model.bin"] = Served(b"checkpoint" * 1000)
    serving.files["/someone/voices/resolve/v2.1/pytorch_model.bin"] = Served(b"another" * 1000)
    yield serving
    serving.stop()


def test_it_is_fetched_for_as_long_as_it_is_needed(server, tmp_path):
    with fetched(ID, tmp_path, Silence(), mirror=server.address()) as file:
        assert file.read_bytes() == b"checkpoint" * 1000
    assert not file.exists()
    with fetched(f"{ID}@v2.1", tmp_path, Silence(), mirror=server.address()) as file:
        assert file.read_bytes() == b"another" * 1000


def test_what_came_is_kept_when_its_export_fails(server, tmp_path):
    with pytest.raises(ModelError, match="no good"), fetched(ID, tmp_path, Silence(), mirror=server.address()):
        raise ModelError("It is no good.")
    with fetched(ID, tmp_path, Silence(), mirror=server.address()) as file:
        assert file.read_bytes() == b"checkpoint" * 1000
    assert len(server.asked) == 1


def test_a_transfer_that_breaks_off_goes_on(server, tmp_path):
    server.faults.append(Fault(cut=3000))
    with fetched(ID, tmp_path, Silence(), mirror=server.address(), sleep=lambda _: None) as file:
        assert file.read_bytes() == b"checkpoint" * 1000


def test_the_token_is_never_shown_on_a_way_that_others_can_read(server, tmp_path):
    with fetched(ID, tmp_path, Silence(), mirror=server.address(), token="hf_secret"):
        pass
    assert all("hf_secret" not in str(headers) for _, headers in server.asked)


def test_a_model_that_is_not_there_or_not_for_us_is_told(server, tmp_path):
    with pytest.raises(ModelError), fetched("someone/else", tmp_path, Silence(), mirror=server.address()):
        pass
    server.faults.append(Fault(status=401))
    with pytest.raises(ModelError, match=r"token|allow|HUGGINGFACE_TOKEN"), fetched(ID, tmp_path, Silence(), mirror=server.address()):
        pass


def test_an_id_is_told_from_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert is_hub_id("pyannote/segmentation-3.0")
    assert is_hub_id("pyannote/segmentation@2022.07")
    for text in ("model.bin", "/tmp/model.bin", "a/b/c", "../x", "-x/y", "x/.."):
        assert not is_hub_id(text)
    (tmp_path / "pyannote").mkdir()
    (tmp_path / "pyannote" / "model").touch()
    assert not is_hub_id("pyannote/model")
    with pytest.raises(ModelError, match="neither"):
        address("x/..")
    assert address("a/b") == "https://huggingface.co/a/b/resolve/main/pytorch_model.bin"
