from collections.abc import Callable, Iterator
from pathlib import Path

import ggml
import pytest
from file_server import FILE, FileServer, Served, Watcher
from hugging_face import lay_out
from published import FILE as PUBLISHED
from published import FOLDER, MODEL
from safetensors.numpy import save_file

from trax.files import sha256_of
from trax.models.catalogue import Catalogue, Entry, File, catalogue
from trax.models.download import Wanted, client, fetch
from trax.models.gathering import Source
from trax.models.ggml.file import read
from trax.models.part import Part
from trax.models.pulling import pull


@pytest.fixture
def state_models(tmp_path: Path) -> Path:
    """Where added models go; it does not exist yet."""
    return tmp_path / "state" / "models"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    """A file server of the test's own, which is asked directly."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    serving = FileServer()
    yield serving
    serving.stop()


@pytest.fixture
def watcher() -> Watcher:
    return Watcher()


@pytest.fixture
def get(server: FileServer, tmp_path: Path, watcher: Watcher) -> Callable[..., Part]:
    """Fetches a path of the server, or an address, and returns what came."""

    def fetch_it(path: str = FILE, *, address: str | None = None, **wanted: object) -> Part:
        part = Part(tmp_path / "downloads" / "model.bin")
        with client() as http:
            fetch(Wanted(address or server.address(path), **wanted), part, http, watcher, watcher.waits.append)
        return part

    return fetch_it


@pytest.fixture(scope="session")
def file(tmp_path_factory) -> Path:
    """A model that can be quantised."""
    path = tmp_path_factory.mktemp("published") / PUBLISHED
    ggml.write(path, width=32)
    return path


@pytest.fixture(scope="session")
def theirs(file, tmp_path_factory) -> Path:
    """The same model as a folder of Hugging Face."""
    folder = tmp_path_factory.mktemp("hugging-face") / "own"
    save_file(lay_out(read(file), folder), folder / "model.safetensors")
    return folder


@pytest.fixture
def publish(monkeypatch, server):
    """Put the model into the catalogue as told."""

    def put(*files: File, **told: object) -> Entry:
        plain = {"name": "own", "kind": "asr", "engine": "whisper", "origin": "download", "languages": ["en"], "licence": "CC0-1.0"}
        entry = Entry(**plain | {"source": f"https://huggingface.co{FOLDER}", "files": files} | told)
        known = Catalogue(models=(*catalogue().models, entry))
        monkeypatch.setattr("trax.models.pulling.catalogue", lambda: known)
        return entry

    return put


@pytest.fixture
def served(server, publish, file) -> Entry:
    """The model, published with its hash, on a server."""
    server.files[MODEL] = Served(file.read_bytes())
    return publish(File(name=PUBLISHED, size=file.stat().st_size, sha256=sha256_of(file)))


@pytest.fixture
def pull_it(server, state_models, watcher):
    def pulling(name: str = "own", **source: object):
        return pull(name, state_models, Source(**{"mirror": server.address(), **source}), watcher, watcher.waits.append)

    return pulling
