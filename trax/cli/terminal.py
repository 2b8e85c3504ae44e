"""Where data and messages go: data to standard output, messages to standard error, rich only where a terminal listens."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Mapping
from typing import Any, TextIO

from rich.console import Console, RenderableType
from rich.text import Text

from trax.cli.render import error_view, label
from trax.errors import TraxError

#: Columns of text that goes to a file or a pipe: nothing is folded there.
_UNFOLDED = 10_000


class Terminal:
    """Standard output and standard error, as one command writes to them.

    Attributes:
        json: Whether standard output gets one JSON document in place of text.
        is_live: Whether people watch: colours, bars and moving pictures are for them.
    """

    def __init__(self, *, json: bool) -> None:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")  # a name must never end a command in an encoding error
        self.json = json
        is_smart = os.environ.get("TERM") != "dumb"
        self.is_live = sys.stdout.isatty() and is_smart and not json
        self.out = _console(sys.stdout, rich=self.is_live)
        self.err = _console(sys.stderr, rich=self.is_live and sys.stderr.isatty())

    def data(self, document: Mapping[str, Any], view: RenderableType) -> None:
        """The answer: the document with `--json`, else the view."""
        if self.json:
            self.line(json.dumps(document, ensure_ascii=True))
        else:
            _write(self.out, view)

    def line(self, text: str) -> None:
        """One line of data, as it is: the caller has escaped what came from outside."""
        print(text, flush=True)

    def note(self, text: str) -> None:
        """A message."""
        self.say(label(text))

    def say(self, view: RenderableType) -> None:
        """A message of several lines."""
        _write(self.err, view)

    @property
    def can_ask(self) -> bool:
        """Whether somebody sits there who can read a question and answer it."""
        return sys.stdin.isatty() and sys.stderr.isatty()

    def confirm(self, question: str) -> bool:
        """Whether whoever sits at the terminal says yes."""
        self.note(f"{question} [y/N]")
        return sys.stdin.readline().strip().lower() in {"y", "yes"}

    def error(self, error: TraxError) -> None:
        """What went wrong: in words to standard error and, with `--json`, as the document."""
        problems = getattr(error, "problems", None)
        if problems:
            self.say(Text("\n").join([label(line) for line in str(error).splitlines()]))
        else:
            self.say(error_view(error.as_dict()))
        if self.json:
            plain = error.as_dict() | ({"problems": list(problems)} if problems else {})
            self.line(json.dumps({"error": plain}))


def _write(console: Console, view: RenderableType) -> None:
    """Print the view; where no terminal folds and fills lines, without the blanks that rich fills them with."""
    if console.is_terminal:
        console.print(view)
        return
    with console.capture() as capture:
        console.print(view)
    for line in capture.get().splitlines():
        print(line.rstrip(), file=console.file, flush=True)


def _console(stream: TextIO, *, rich: bool) -> Console:
    return Console(
        file=stream,
        force_terminal=rich,
        color_system="auto" if rich else None,
        width=None if rich else _UNFOLDED,
        markup=False,
        highlight=False,
        emoji=False,
    )
