"""Fixtures that every room's tests share: where the real speech and the real model are, when they are there."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

sys.path.insert(0, str(Path(__file__).resolve().parent))

import ggml

# how long one example takes says more about the machine's load than about the code
settings.register_profile("trax", parent=settings.default, deadline=None)
settings.load_profile("trax")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of real speech, TRAX_DATA; the test is skipped where it is missing."""
    folder = Path(os.environ.get("TRAX_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no speech data in {folder}: set TRAX_DATA")
    return folder


@pytest.fixture(scope="session")
def sample(data_folder: Path) -> Callable[[str], Path]:
    """The path of one file of the speech data, by its name inside the folder; the test is skipped where it is missing."""

    def find(name: str) -> Path:
        path = data_folder / name
        if not path.is_file():
            pytest.skip(f"no {name} in {data_folder}")
        return path

    return find


@pytest.fixture(scope="session")
def whisper_model() -> Path:
    """The file of a small real Whisper model: the better one of those for English digits that ship with Trax."""
    return ROOT / "models" / "ggml-digits-q8_0.bin"


@pytest.fixture
def write_ggml(tmp_path: Path) -> Callable[..., Path]:
    """Writes a whole Whisper model of tiny dimensions into the test's folder: `write_ggml(name, **dimensions)`, see `ggml.write`."""

    def write(name: str = "ggml-own.bin", **dimensions: int) -> Path:
        ggml.write(tmp_path / name, **dimensions)
        return tmp_path / name

    return write
