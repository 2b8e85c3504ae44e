"""Where the files that come with Trax lie: beside the package in a wheel, at the top of the checkout in an editable install."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def shipped(name: str) -> Path:
    """The path of a shipped folder or file, such as `models` or `config/trax.yaml`; it may not exist."""
    inside = _PACKAGE / "_shipped" / name
    return inside if inside.exists() else _PACKAGE.parent / name
