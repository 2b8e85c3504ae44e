"""The progress of a pull on standard error: a bar where a person watches, else a line now and then, or nothing."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.table import Column

from trax.models.download import Display
from trax.text import printable, size

#: A line for each tenth of a file; where nobody knows how long it is, for so many bytes.
_TENTHS = 10
_STEP = 100_000_000


@contextlib.contextmanager
def display(*, quiet: bool) -> Iterator[Display]:
    """What fits whoever listens."""
    if quiet:
        yield _Silence()
    elif sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        # in a narrow terminal the bar gets shorter, and nothing is broken into two lines
        name = TextColumn("{task.description}", table_column=Column(no_wrap=True))
        figures = (kind(table_column=Column(no_wrap=True)) for kind in (DownloadColumn, TransferSpeedColumn, TimeRemainingColumn))
        with Progress(name, BarColumn(), *figures, console=Console(stderr=True, markup=False, highlight=False, emoji=False)) as progress:
            yield _Bars(progress)
    else:
        yield _Lines()


class _Silence:
    def note(self, text: str) -> None:
        pass

    def advance(self, file: str, done: int, total: int | None) -> None:
        pass


class _Lines:
    def __init__(self) -> None:
        self._told: dict[str, int] = {}

    def note(self, text: str) -> None:
        sys.stderr.write(f"{printable(text)}\n")  # unbuffered, or a line at a time

    def advance(self, file: str, done: int, total: int | None) -> None:
        step = done * _TENTHS // total if total else done // _STEP
        if self._told.get(file) != step:
            self._told[file] = step
            of = f"{done * 100 // total}% of {size(total)}" if total else size(done)
            self.note(f"{file}: {of}")


class _Bars:
    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def note(self, text: str) -> None:
        self._progress.console.print(printable(text))

    def advance(self, file: str, done: int, total: int | None) -> None:
        if file not in self._tasks:
            self._tasks[file] = self._progress.add_task(printable(file), total=total)
        self._progress.update(self._tasks[file], completed=done, total=total)
