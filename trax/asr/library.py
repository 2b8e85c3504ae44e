"""Which build of whisper.cpp runs the models of a process: the wheel's, or one that was made for this machine.

Both are the bindings of pywhispercpp; that of this machine is a single file with whisper.cpp inside. A process can hold one of the two
(pybind11 registers their types under the same names), so the first that is asked for stays.
"""

from __future__ import annotations

import atexit
import importlib
import importlib.metadata
import importlib.util
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from trax.errors import LibraryChanged, WorkerOutdated

#: What the wheel's own build is called.
WHEEL = "wheel"
_MODULE, _PACKAGE = "_pywhispercpp", "pywhispercpp"


class _Log(threading.local):
    """What whisper.cpp said last in each thread: one model may be loaded while another is at work."""

    def __init__(self) -> None:
        self.lines: deque[str] = deque(maxlen=50)


#: What whisper.cpp said last in this thread.
log = _Log()


@dataclass(frozen=True, slots=True)
class Library:
    """A build of whisper.cpp: its package with the version, how it was built, and its file with the SHA-256 (None: the wheel's)."""

    package: str
    build: str = WHEEL
    sha256: str | None = None
    path: str | None = None

    def to_plain(self) -> dict[str, Any]:
        """As it stands in a plan: see `Model.library`."""
        own = {"sha256": self.sha256, "path": self.path} if self.path else {}
        return {"package": self.package, "build": self.build, **own}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Library:
        """The reverse; of nothing, the wheel's."""
        return cls(**plain) if plain else wheel()


def wheel() -> Library:
    """The build in the wheel that pip installed."""
    return Library(f"{_PACKAGE} {importlib.metadata.version(_PACKAGE)}")


def bindings(library: Library) -> Any:  # noqa: ANN401 - a module without types
    """The bindings of this build, loaded.

    Raises LibraryChanged when it is not there any more or does not load, WorkerOutdated when this process holds another.
    """
    with _loading:
        if not _held:
            _held.append((library, _prepared(_own(library.path) if library.path else _wheels(library))))
        held, module = _held[0]
        if held.path != library.path:
            raise WorkerOutdated("This worker has another build of whisper.cpp loaded than its task needs.")
        return module


_loading = threading.Lock()
#: The build that this process has loaded, with its module: none, or one.
_held: list[tuple[Library, Any]] = []


def _wheels(library: Library) -> ModuleType:
    if library.package != wheel().package:
        raise LibraryChanged(f"The job was planned with {library.package}, and {wheel().package} is installed now.")
    return importlib.import_module(_MODULE)


def _own(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(_MODULE, path)
    assert spec is not None  # it has the ending of a module
    assert spec.loader is not None
    try:
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    except (ImportError, OSError) as error:
        raise LibraryChanged(f"The whisper.cpp that was built for this machine cannot be loaded: {error}.", file=path) from error
    return module


def _prepared(module: Any) -> Any:  # noqa: ANN401 - a module without types
    module.whisper_log_set(lambda _level, text: log.lines.append(str(text).strip()))
    # called after Python is gone, the callback would bring the process down
    atexit.register(module.whisper_log_set, None)
    return module
