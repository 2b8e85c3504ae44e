from collections.abc import Iterator
from pathlib import Path

import pytest
from file_server import FileServer


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
