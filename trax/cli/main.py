"""The entry point of trax-ctl: reads the command line, runs the command, turns what went wrong into words and an exit code."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from trax.cli.parser import parse
from trax.errors import ControlError, DaemonBusy, StorageError, TraxError

if TYPE_CHECKING:
    from trax.cli.terminal import Terminal

DONE, FAILED, USAGE, UNREACHABLE, TRY_LATER, INTERRUPTED, BROKEN_PIPE = 0, 1, 2, 69, 75, 130, 141


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit code, as `trax-ctl --help` lists them. Ends by SystemExit for --help, --version and usage."""
    args = parse(argv)
    from trax.cli.terminal import Terminal  # rich takes a while to load: not for --help

    terminal = Terminal(json=args.json)
    try:
        return _run(args, terminal)
    except TraxError as error:
        terminal.error(error)
        return exit_code(error)
    except BrokenPipeError:
        # Whoever read our output has gone. Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except OSError as error:
        file = None if error.filename is None else os.fsdecode(error.filename)
        terminal.error(StorageError(f"{error.strerror or error}.", file=file, advice=_advice(error)))
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED


def exit_code(error: TraxError) -> int:
    """The exit code of an error."""
    if isinstance(error, DaemonBusy):
        return TRY_LATER
    return UNREACHABLE if isinstance(error, ControlError) else FAILED


def _advice(error: OSError) -> str:
    return "Check who may read and write there, or use sudo." if isinstance(error, PermissionError) else "See `trax-ctl doctor`."


def _run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Each command loads only what it needs."""
    match args.command:
        case "status" | "show" | "retry" | "rediarize" | "cancel" | "purge":
            from trax.cli.jobs import run
        case "transcribe" | "batch":
            from trax.cli.work import run
        case "doctor":
            from trax.cli.doctor import run
        case "config":
            from trax.cli.settings import run
        case "models":
            from trax.cli.models import run
        case "engine":
            from trax.cli.engine import run
        case "speakers":
            from trax.cli.speakers import run
        case unknown:
            raise AssertionError(f"{unknown} has a parser and no command")
    return run(args, terminal)


if __name__ == "__main__":
    sys.exit(main())
