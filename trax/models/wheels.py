"""The models that lie inside the wheels of their engines: found and checked without importing those."""

from __future__ import annotations

import base64
import importlib.metadata
import importlib.util
from pathlib import Path

from trax import files
from trax.errors import ModelError
from trax.models.catalogue import Entry
from trax.models.model import Model

_ADVICE = "Install Trax again, so that pip brings its dependencies back."


def find_in_wheel(entry: Entry) -> Model:
    """The model of a catalogue entry with `origin: wheel`. Raises ModelError when its package or a file of it is missing."""
    paths = wheel_files(entry)
    missing = [path for path in paths if not path.is_file()]
    if missing:
        raise ModelError("A file of this built-in model is missing.", file=str(missing[0]), advice=_ADVICE)
    version = f"{entry.package} {_distribution(entry).version}"
    return entry.as_model(path=None, sha256=None, version=version, size=sum(path.stat().st_size for path in paths))


def wheel_files(entry: Entry) -> list[Path]:
    """Where the files of a catalogue entry with `origin: wheel` lie. Raises ModelError when its package is missing."""
    assert entry.package is not None
    spec = importlib.util.find_spec(entry.package)
    if spec is None or not spec.submodule_search_locations:
        raise ModelError(f"The Python package {entry.package} is not installed.", advice=_ADVICE)
    folder = Path(spec.submodule_search_locations[0])
    return [folder / file.name for file in entry.files]


def check_wheel(entry: Entry) -> None:
    """Hash the model's files against the record that the wheel was installed with. Raises ModelError at the first that differs."""
    recorded = {str(file.locate()): file.hash for file in _distribution(entry).files or ()}
    for path in wheel_files(entry):
        expected = recorded.get(str(path))
        if expected is None or expected.mode != "sha256":
            raise ModelError("The package's record holds no hash of this file.", file=str(path), advice=_ADVICE)
        found = base64.urlsafe_b64encode(bytes.fromhex(files.sha256_of(path))).decode().rstrip("=")
        if found != expected.value:
            raise ModelError("The file has changed: its hash differs from the package's record.", file=str(path), advice=_ADVICE)


def _distribution(entry: Entry) -> importlib.metadata.Distribution:
    assert entry.package is not None
    try:
        return importlib.metadata.distribution(entry.package)
    except importlib.metadata.PackageNotFoundError as error:
        raise ModelError(f"The Python package {entry.package} is there but was not installed by pip.", advice=_ADVICE) from error
