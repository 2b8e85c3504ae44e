"""Inputs that harm the process that works on them: a Python for the daemon's children in which a marked recording does what it says.

Real recordings that crash a decoder or an engine of today are mended tomorrow; these stay. The daemon is the real one, and so is all its
children run, but that a recording that begins with a mark such as `poison:transcribe:segfault;` does that to the stage it names.

    python poisoned.py daemon         traxd, whose children are started as below
    python poisoned.py [-P] -m MODULE …      what the daemon starts as a child
"""

from __future__ import annotations

import ctypes
import os
import re
import runpy
import signal
import sys
import tempfile
import wave
from collections.abc import Callable, Mapping
from pathlib import Path

#: The stages that a recording can be poison to.
STAGES = ("decode", "plan", "vad", "transcribe", "embed", "cluster")
_MARK = re.compile(rb"poison:([a-z]+):([a-z]+);")
_HEAD = 4096


def poison(recording: Path, target: Path, stage: str, deed: str) -> None:
    """Write the WAV file `recording` to `target` with a mark in front of its sound. `deed` is one of `DEEDS`."""
    mark = f"poison:{stage}:{deed};".encode()
    with wave.open(str(recording), "rb") as reader, wave.open(str(target), "wb") as writer:
        writer.setparams(reader.getparams())
        writer.writeframes(mark + b" " * (len(mark) % 2) + reader.readframes(reader.getnframes()))


def _segfault() -> None:
    ctypes.string_at(0)


def _hang() -> None:
    # with the interpreter's lock held: no other thread of it ever runs again
    ctypes.PyDLL(None).read(_OUTSIDE["silence"], ctypes.create_string_buffer(1), 1)


def _stand_still() -> None:
    os.write(_OUTSIDE["signals"], bytes([signal.SIGSTOP]))
    _hang()


def _be_killed() -> None:
    os.write(_OUTSIDE["signals"], bytes([signal.SIGKILL]))  # what the kernel does when memory runs out
    _hang()


#: What a process needs of the outside to be hit by it, made before it shuts itself in: it may send no signals then.
_OUTSIDE: dict[str, int] = {}


def _reach_outside() -> None:
    silence, _OUTSIDE["held open"] = os.pipe()
    told, tell = os.pipe()
    victim = os.getpid()
    if os.fork() == 0:
        os.closerange(0, told)
        os.closerange(told + 1, 256)
        while number := os.read(told, 1):
            os.kill(victim, number[0])
        os._exit(0)
    os.close(told)
    _OUTSIDE.update(silence=silence, signals=tell)


def _eat() -> None:
    held = []
    while True:
        held.append(bytearray(b"x" * (16 << 20)))


def _eat_and_abort() -> None:
    """As ggml and other native libraries do it: what is refused ends the process."""
    library = ctypes.CDLL(None)
    library.malloc.restype = ctypes.c_void_p
    while held := library.malloc(ctypes.c_size_t(16 << 20)):
        ctypes.memset(held, 1, 16 << 20)
    library.abort()


def _end() -> None:
    os._exit(0)


DEEDS: Mapping[str, Callable[[], None]] = {
    "segfault": _segfault,
    "hang": _hang,
    "stop": _stand_still,
    "kill": _be_killed,
    "eat": _eat,
    "abort": _eat_and_abort,
    "exit": _end,
}


def _suffer(head: bytes, stage: str) -> None:
    found = _MARK.search(head)
    if found is not None and found[1].decode() == stage:
        DEEDS[found[2].decode()]()


def _poison_lane() -> None:
    from trax.worker import tasks

    perform = tasks.Worker.perform

    def suffering(self: tasks.Worker, task: tasks.Task, *rest: object) -> object:
        with (task.folder / "source").open("rb") as source:
            _suffer(source.read(_HEAD), task.kind)
        return perform(self, task, *rest)  # type: ignore[arg-type] # handed on as it came

    tasks.Worker.perform = suffering  # type: ignore[method-assign, assignment]


def _poison_decoder() -> None:
    from trax.audio import decode

    really = decode.decode

    def suffering(*arguments: object, **named: object) -> object:
        _suffer(os.pread(0, _HEAD, 0), "decode")
        return really(*arguments, **named)  # type: ignore[arg-type] # handed on as it came

    decode.decode = suffering  # type: ignore[assignment]


def _be_daemon() -> int:
    """The real daemon; it starts its children with `sys.executable`."""
    from trax.service.main import main

    with tempfile.TemporaryDirectory() as folder:
        starter = Path(folder) / "python"
        starter.write_text(f'#!/bin/sh\nexec "{sys.executable}" -P "{Path(__file__).resolve()}" "$@"\n', encoding="utf-8")
        starter.chmod(0o755)
        sys.executable = str(starter)
        return main([])


def _be_child(arguments: list[str]) -> None:
    module = arguments[arguments.index("-m") + 1]
    sys.argv = arguments[arguments.index("-m") + 1 :]
    _reach_outside()
    {"trax.worker.lane": _poison_lane, "trax.worker.decode": _poison_decoder}[module]()
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    if sys.argv[1:] == ["daemon"]:
        sys.exit(_be_daemon())
    _be_child(sys.argv[1:])
