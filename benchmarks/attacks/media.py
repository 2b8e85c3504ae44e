"""Hostile media through the real daemon: references, claims, bombs, broken headers. Each gets its error, soon, and reaches nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from appliance import Appliance, read_json

from attacks import Findings, Size
from attacks.clips import speech_clips
from attacks.media_files import HARMLESS, hostile_media
from attacks.traps import Canary, Listener

_MOST_SECONDS, _MOST_MEGABYTES = 5.0, 512
_LOOK_SECONDS = 0.01
_PATIENCE = 600.0
_DECODER = b"trax.worker.decode"


def attack(size: Size, work: Path) -> Findings:
    """Drop every kind of hostile file; the promise is an error for each within 5 s and 512 MB, and no way out.

    The time that a decoder waits for its turn on a processor is not counted: it would measure what else the machine does.
    """
    with Canary(work / "canary.wav") as canary, Listener() as listener:
        hostile = hostile_media(canary.path, listener.url)
        step = size.pick(1, 1, 5)
        dropped = dict(list(hostile.items())[::step])
        media = work / "media"
        media.mkdir()
        for name, content in dropped.items():
            (media / name).write_bytes(content)
        (clip,) = speech_clips(work / "clips", 1, seed=size.seed)
        settings = {"intake": {"settle_seconds": 0.2}, "stages": {"diarize": False}, "output": {"formats": ["json"]}}
        with Appliance(work / "root", settings) as daemon, _Children(daemon.pid) as children:
            pid = daemon.pid
            canary.touches()  # writing it is no visit
            for path in sorted(media.iterdir()):
                daemon.drop(path, f"{_stem(path.name)}{path.suffix}")
            daemon.drop(clip, "speech.wav")
            expected = {_stem(name) for name in dropped} | {"speech"}
            daemon.wait_until(lambda: expected <= set(daemon.errors()) | set(daemon.transcripts()), _PATIENCE)
            violations = [*_answers(daemon, dropped), *children.violations()]
            if daemon.pid != pid or not daemon.processes():
                violations.append("The daemon is not the one that was started.")
        violations += [f"The canary was opened or read {touched} times."] if (touched := canary.touches()) else []
        violations += [f"The server that the files name got {visits} visits."] if (visits := listener.visits()) else []
    tried = (
        f"{len(dropped)} hostile files through one daemon: playlists and references to local files and URLs, claims of a thousand hours or "
        f"channels, broken headers, bombs; each must be refused for good within {_MOST_SECONDS:g} s and {_MOST_MEGABYTES} MB, with no "
        f"connection to the server and no opening of the file they name, and a recording dropped behind them is transcribed."
    )
    return Findings(tried, tuple(violations), children.figures())


def _stem(name: str) -> str:
    """One stem for each file: two of one stem would be answered as `name` and `name (2)`."""
    return name.replace(".", "-").replace(":", "")


def _answers(daemon: Appliance, dropped: dict[str, bytes]) -> Iterator[str]:
    errors = daemon.errors()
    for name in dropped:
        error = errors.get(_stem(name))
        if error is None:
            if not name.startswith(HARMLESS):
                yield f"{name} was transcribed."
        elif not (answer := read_json(error))["permanent"]:
            yield f"{name} would be tried again: {answer['why']}"
    if "speech" not in daemon.transcripts():
        yield "The recording among the hostile files was not transcribed."


class _Children:
    """Looks at the decoders of a daemon all the time: the time and the memory that each came to. A context manager."""

    def __init__(self, daemon: int) -> None:
        self._daemon = daemon
        self._seconds: dict[int, float] = {}  # without waiting for a processor
        self._seen: dict[int, tuple[float, float]] = {}
        self._megabytes: dict[int, float] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def violations(self) -> Iterator[str]:
        """What was over the limits."""
        if not self._seconds:
            yield "No decoder was ever seen."
        for found, most, unit in ((self._seconds, _MOST_SECONDS, "s"), (self._megabytes, _MOST_MEGABYTES, "MB")):
            yield from (f"A decoder took {value:.1f} {unit}; {most:g} are allowed." for value in found.values() if value > most)

    def figures(self) -> tuple[str, ...]:
        """The most that any took."""
        seconds, megabytes = max(self._seconds.values(), default=0.0), max(self._megabytes.values(), default=0.0)
        lived = max((last - first for first, last in self._seen.values()), default=0.0)
        return (f"the most a decoder took: {seconds:.1f} s, with waiting for a processor {lived:.1f} s, {megabytes:.0f} MB resident",)

    def _watch(self) -> None:
        while not self._ended.wait(_LOOK_SECONDS):
            for child in _read(f"/proc/{self._daemon}/task/{self._daemon}/children").split():
                pid = int(child)
                if _DECODER not in _read(f"/proc/{pid}/cmdline"):
                    continue
                scheduled = _read(f"/proc/{pid}/schedstat").split()  # nanoseconds on a processor, and waiting for one
                peak = [line.split()[1] for line in _read(f"/proc/{pid}/status").splitlines() if line.startswith(b"VmHWM:")]
                if scheduled and peak:  # the marks only rise, so the last look is the highest
                    self._megabytes[pid] = int(peak[0]) / 1000
                    now = time.monotonic()
                    first, _ = self._seen[pid] = self._seen.get(pid, (now, now))[0], now
                    self._seconds[pid] = now - first - int(scheduled[1]) / 1e9

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join()


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError:
        return b""
