from pathlib import Path

import pytest


@pytest.fixture
def state_models(tmp_path: Path) -> Path:
    """Where added models go; it does not exist yet."""
    return tmp_path / "state" / "models"
