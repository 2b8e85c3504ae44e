"""`transcribe` and `batch`: recordings are transcribed here and now, without the daemon, and what happens is shown as it happens."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from loguru import logger
from rich.live import Live

from trax import core_dumps
from trax.cli import render
from trax.cli.settings import load
from trax.cli.terminal import Terminal
from trax.config import Settings
from trax.errors import UnreadableRecording
from trax.service import once
from trax.service.once import Outcome, Progress
from trax.text import printable

Files = Sequence[tuple[Path, str]]
_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """One of the two. Ctrl-C or a signal ends the work and waits until nothing is left of it; the exit code is then 128 + its number."""
    settings = load(args, dict(args.overrides))
    if args.command == "batch":
        folder = Path(args.folder)
        files = list(recordings(folder, settings.intake.formats))
        out = Path(args.out or folder)
        if not files:
            terminal.note(f"{folder}: no recordings here; intake.formats are {' '.join(settings.intake.formats)}.")
    else:
        files = [named(Path(name)) for name in args.files]
        out = Path(args.out or ".")
    logger.remove()  # what failed is told as an outcome; the log is for what nothing else tells
    logger.add(lambda record: terminal.note(record.rstrip()), level="WARNING", format="{message}", diagnose=False, backtrace=False)
    core_dumps.forbid()
    followed = asyncio.run(_follow(files, out, settings, terminal))
    if isinstance(followed, int):
        terminal.note("Stopped; what was not finished has left nothing behind.")
        return 128 + followed
    return _tell(followed, terminal)


def named(path: Path) -> tuple[Path, str]:
    """A recording named on the command line and the name its outputs get. Raises UnreadableRecording for what is no file."""
    if path.is_dir():
        raise UnreadableRecording("This is a folder.", file=str(path), advice=f"Use: trax-ctl batch {path}")
    if not path.is_file():
        raise UnreadableRecording("There is no such file.", file=str(path), advice="Check its name.")
    return path.resolve(), path.stem


def recordings(folder: Path, formats: Sequence[str]) -> Iterator[tuple[Path, str]]:
    """The recordings below a folder, by name, each with its path below it without extension. What is hidden is left out.

    Raises UnreadableRecording when the folder is none, or a folder in it may not be read.
    """

    def complain(error: OSError) -> None:
        what = f"The folder cannot be read: {error.strerror}."
        raise UnreadableRecording(what, file=str(error.filename), advice="Check its name and mode.")

    for parent, folders, names in os.walk(folder, onerror=complain):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(parent, name)
            if not name.startswith(".") and path.suffix.lower() in formats and path.is_file():
                yield path.resolve(), str(path.relative_to(folder).with_suffix(""))


async def _follow(files: Files, out: Path, settings: Settings, terminal: Terminal) -> list[Outcome] | int:
    """The outcomes; or the number of the signal that ended the work."""
    stopped_by: list[int] = []
    with _display(len(files), terminal) as on_progress:
        task = asyncio.ensure_future(once.transcribe(files, out, settings, on_progress))

        def stop(number: int) -> None:
            stopped_by.append(number)
            task.cancel()

        loop = asyncio.get_running_loop()
        for number in _STOPPING:
            loop.add_signal_handler(number, stop, number)
        try:
            return await task
        except asyncio.CancelledError:
            if stopped_by:
                return stopped_by[0]
            raise
        finally:
            for number in _STOPPING:
                loop.remove_signal_handler(number)


def _display(count: int, terminal: Terminal) -> AbstractContextManager[Callable[[Progress], None]]:
    if terminal.err.is_terminal:
        return _Picture(count, terminal)
    return nullcontext(_Lines(terminal))


class _Lines:
    """Progress where nobody watches: a line whenever a job enters a stage."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._begun: set[tuple[str, str]] = set()

    def __call__(self, progress: Progress) -> None:
        if progress.stage and (progress.job, progress.stage) not in self._begun:  # stages side by side report in turn
            self._begun.add((progress.job, progress.stage))
            self._terminal.note(f"{progress.name}: {progress.stage}")


class _Picture(AbstractContextManager[Callable[[Progress], None]]):
    """Progress in a terminal: a row for each of the jobs that moved last."""

    def __init__(self, count: int, terminal: Terminal) -> None:
        self._count = count
        self._latest: dict[str, Progress] = {}
        self._live = Live(console=terminal.err, transient=True, refresh_per_second=8)

    def __enter__(self) -> Callable[[Progress], None]:
        self._live.start()
        return self._take

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def _take(self, progress: Progress) -> None:
        self._latest.pop(progress.job, None)  # the last to move is the last in the dict
        self._latest[progress.job] = progress
        self._live.update(render.progress_view([plain(item) for item in self._latest.values()], self._count))


def plain(progress: Progress) -> dict[str, Any]:
    """Progress as the renderer takes it."""
    return {key: getattr(progress, key) for key in ("job", "name", "stage", "fraction", "speed", "cpu_percent", "memory_mb")}


def outcome_plain(outcome: Outcome) -> dict[str, Any]:
    """An outcome, JSON-ready."""
    return {"source": str(outcome.source), "outputs": [str(path) for path in outcome.outputs], "error": outcome.error}


def _tell(outcomes: Sequence[Outcome], terminal: Terminal) -> int:
    if terminal.json:
        terminal.line(json.dumps({"outcomes": [outcome_plain(outcome) for outcome in outcomes]}))
    for outcome in outcomes:
        for path in outcome.outputs if not terminal.json else ():
            terminal.line(printable(str(path)))
        if outcome.error is not None:
            terminal.say(render.error_view(outcome.error))
    return 1 if any(outcome.error is not None for outcome in outcomes) else 0
