"""What the tests of the packages share: the checkout, and an environment that knows nothing of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The top of the checkout."""
    return ROOT


@pytest.fixture(scope="session")
def elsewhere() -> dict[str, str]:
    """The environment without what leads back to the checkout or to the settings of whoever runs the tests."""
    mine = ("TRAX_", "PYTHON", "VIRTUAL_ENV", "MAKE", "MFLAGS", "PIP_CONSTRAINT", "PIP_BUILD_CONSTRAINT")
    return {name: value for name, value in os.environ.items() if not name.startswith(mine)}


@pytest.fixture(scope="session")
def index(elsewhere) -> None:
    """A package index that answers; the test is skipped where there is none."""
    dry = [sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--ignore-installed", "--no-deps", "--retries=1", "tinydb"]
    if subprocess.run(dry, env=elsewhere, capture_output=True, check=False).returncode:
        pytest.skip("pip reaches no package index")
