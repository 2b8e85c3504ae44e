from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from file_server import FILE, FileServer, Watcher

from trax.models.download import Wanted, client, fetch
from trax.models.part import Part


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
