"""The whisper.cpp that was built for this machine: where it lies, what is known of it, and whether it may be used.

`trax-ctl engine build` puts one file of bindings into `state/engine/`, named by its hash, and beside it `build.json`, which says what it
was made for. It is used only where all of that still holds; else the wheel's is, and why is told.
"""

from __future__ import annotations

import ctypes
import json
import os
import stat
import sysconfig
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from trax import files
from trax.asr.library import Library, wheel
from trax.errors import EngineError

NOTE = "build.json"
_NOTE_LIMIT = 1 << 20


@dataclass(frozen=True, slots=True)
class Processor:
    """A processor: its name, and every feature that the kernel tells of it."""

    name: str
    features: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Build:
    """What is known of a build.

    `file` is its name in the folder and `sha256` its hash; `package` is what it is a build of and `variant` how it was built, in words;
    `processor` is what it was built for, and `python` the ending of such a Python's modules; `compiler` made it, on the day `built`.
    `seconds` are those of a window of thirty seconds at the dimensions of `tiny.en`, by the wheel and by it, when it was verified.
    """

    file: str
    sha256: str
    package: str
    variant: str
    processor: Processor
    python: str
    compiler: str
    built: str
    seconds: tuple[float, float]

    def to_plain(self) -> dict[str, Any]:
        """As `build.json` has it."""
        return asdict(self)

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Build:
        """The reverse. Raises KeyError, TypeError or ValueError when the shape is wrong."""
        processor = plain["processor"]
        texts = {key: str(plain[key]) for key in ("file", "sha256", "package", "variant", "python", "compiler", "built")}
        by_wheel, by_build = plain["seconds"]
        features = tuple(str(feature) for feature in processor["features"])
        return cls(**texts, processor=Processor(str(processor["name"]), features), seconds=(float(by_wheel), float(by_build)))


@dataclass(frozen=True, slots=True)
class Choice:
    """What runs Whisper models: the build of this machine or the wheel's, and why the former is not used, None where none is there."""

    library: Library
    build: Build | None = None
    refusal: str | None = None


def folder_beside(state_models: Path) -> Path:
    """Where the build of this machine lies, in the state folder that has these models."""
    return state_models.parent / "engine"


def chosen(folder: Path) -> Choice:
    """What runs Whisper models for this process. Loads nothing but to see whether it can be loaded."""
    build = None
    try:
        build = read(folder)
        if build is None:
            return Choice(wheel())
        path = (folder / build.file).absolute()
        check(build, path)
    except EngineError as error:
        return Choice(wheel(), build, error.what)
    return Choice(Library(build.package, build.variant, build.sha256, str(path)), build)


def read(folder: Path) -> Build | None:
    """What is said of the build in the folder, None where there is none. Raises EngineError when that cannot be trusted, or read."""
    note = folder / NOTE
    try:
        with note.open("rb") as handle:
            for each in (folder.stat(), os.fstat(handle.fileno())):
                _check_owner(each)
            build = Build.from_plain(json.loads(handle.read(_NOTE_LIMIT)))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise EngineError(f"Its description cannot be read: {error.strerror}.", file=str(note)) from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise EngineError(f"Its description is damaged ({error}).", file=str(note)) from error
    if Path(build.file).name != build.file:
        raise EngineError("Its description is damaged.", file=str(note))
    return build


def check(build: Build, path: Path) -> None:
    """Raises EngineError unless the build in the file `path` is whole, nobody else's, made for this machine, and can be loaded."""
    if (reason := unfit(build, wheel().package, python_ending(), this_processor())) is not None:
        raise EngineError(reason, file=str(path))
    try:
        found = path.lstat()
        if not stat.S_ISREG(found.st_mode):
            raise EngineError("It is not a regular file.", file=str(path))
        _check_owner(found)
        if files.sha256_of(path) != build.sha256:
            raise EngineError("It has changed since it was verified.", file=str(path))
        ctypes.CDLL(str(path))
    except OSError as error:
        raise EngineError(f"It cannot be loaded: {error}.", file=str(path)) from error


def unfit(build: Build, package: str, python: str, processor: Processor) -> str | None:
    """Why a build does not fit what is here now, None where it does. Pure."""
    if build.package != package:
        return f"It was built of {build.package}, and {package} is installed now."
    if build.python != python:
        return f"It was built for another Python ({build.python})."
    if build.processor.name != processor.name:
        return f"It was built for another processor ({build.processor.name})."
    if lacking := sorted(set(build.processor.features) - set(processor.features)):
        return f"It was built for a processor that has {', '.join(lacking)}, which this one lacks."
    return None


def python_ending() -> str:
    """The ending of this Python's own modules, which tells its version and machine."""
    return str(sysconfig.get_config_var("EXT_SUFFIX"))


def this_processor() -> Processor:
    """That of this machine."""
    return processor_of(Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace"))


def processor_of(cpuinfo: str) -> Processor:
    """The processor in a text of /proc/cpuinfo, as x86 and ARM have it. Pure."""
    fields: dict[str, str] = {}
    for line in cpuinfo.splitlines():
        key, _, value = line.partition(":")
        fields.setdefault(key.strip().lower(), value.strip())
    told = ("model name", "cpu family", "model", "stepping", "cpu implementer", "cpu part", "cpu variant")
    name = ", ".join(fields[key] if key == "model name" else f"{key} {fields[key]}" for key in told if key in fields)
    return Processor(name, tuple(sorted((fields.get("flags") or fields.get("features") or "").split())))


def _check_owner(found: os.stat_result) -> None:
    """Raises EngineError when anyone else could have put it there: whoever loads it runs it."""
    if found.st_uid not in {0, os.geteuid()}:
        raise EngineError("It belongs to another user than this one or root.")
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise EngineError("Others than its owner may write to it, or to its folder.")
