"""A build of whisper.cpp of this machine's own without a compiler: the wheel's, in another place, with a note that it was verified."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from importlib import util
from pathlib import Path

from trax.asr import native
from trax.asr.library import wheel
from trax.asr.native import Build


def put_build(folder: Path, **other: object) -> Build:
    """Put it into a folder, as `trax-ctl engine build` would; `other` is what its note says otherwise."""
    spec = util.find_spec("_pywhispercpp")
    assert spec is not None
    assert spec.origin is not None
    module = Path(spec.origin)
    folder.mkdir(parents=True)
    folder.chmod(0o755)
    file = folder / f"whisper-own{native.python_ending()}"
    shutil.copyfile(module, file)
    file.chmod(0o644)
    shutil.copytree(module.parent / "pywhispercpp.libs", folder / "pywhispercpp.libs")
    processor, python = native.this_processor(), native.python_ending()
    sha256 = native.files.sha256_of(file)
    build = Build(file.name, sha256, wheel().package, "copied", processor, python, "nobody", "2026-11-28", (2.0, 1.0))
    write_note(folder, replace(build, **other))
    return build


def write_note(folder: Path, build: Build) -> None:
    """Write what is said of it."""
    note = folder / native.NOTE
    note.write_text(json.dumps(build.to_plain()), encoding="utf-8")
    note.chmod(0o644)
