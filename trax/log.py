"""What the processes of Trax say while they work: one line a record on stderr, with the job it is about.

Say `logger.info("…")` with loguru's logger; inside `with about(job): …` every record carries the job's id. Under systemd a line begins
with its priority, `<6>`, which the journal takes for its own; elsewhere with the time and the level.

What was said in a recording never gets into a line: of an error that is not ours only its kind and place are told, no value and no message.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import traceback
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING

from loguru import logger

from trax.errors import TraxError, unforeseen
from trax.text import printable

if TYPE_CHECKING:
    from loguru import Record

#: Levels of loguru → priorities of syslog(3), which the journal uses.
_PRIORITIES = ((50, 2), (40, 3), (30, 4), (25, 5), (20, 6))
_DEBUG = 7

_STANDARD = frozenset({logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL})  # loguru has them by the same names


def configure(level: str, *, journal: bool | None = None) -> None:
    """Send records of `level` and above to stderr, and those of the standard `logging` with them.

    `journal` says which form the lines have; None finds out whether stderr leads to the journal.
    """
    in_journal = is_journal() if journal is None else journal
    logger.remove()
    logger.configure(extra={"job": "-", "line": ""})
    # diagnose would print the values of variables, secrets among them; a traceback says enough
    logger.add(sys.stderr, level=level, format=_for_journal if in_journal else _for_people, colorize=False, diagnose=False, backtrace=False)
    sys.excepthook = _uncaught
    threading.excepthook = lambda told: _uncaught(told.exc_type, told.exc_value or told.exc_type(), told.exc_traceback)
    logging.basicConfig(handlers=[_ToLoguru()], level=logging.WARNING, force=True)


def about(job: str) -> AbstractContextManager[None]:
    """Records inside the block, in this task or thread, are about this job."""
    return logger.contextualize(job=job)


def is_journal() -> bool:
    """Whether stderr is the journal's, as systemd.exec(5) tells to find out: a mere JOURNAL_STREAM may be inherited."""
    try:
        stream = os.fstat(2)
    except OSError:
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{stream.st_dev}:{stream.st_ino}"


def _line(record: Record) -> str:
    said = record["message"]
    if (caught := record["exception"]) and caught.value is not None:
        said += f"\n{_traceback(caught.value)}"
    return f"[{printable(str(record['extra']['job']))}] {printable(said)}"


def _traceback(error: BaseException | None) -> str:
    """Where an error was raised and of what kind it is, and those before it, latest first: without what they say, see `unforeseen`."""
    said: list[str] = []
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        what = f"{type(error).__name__}: {error}" if isinstance(error, TraxError) else unforeseen(error)
        said.append(f"Traceback (most recent call last):\n{''.join(traceback.format_tb(error.__traceback__))}{what}")
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\nwhich came of\n".join(said)


# A formatter returns a template that loguru fills from the record; the line goes there as a value, so that braces in it stay braces.


def _for_journal(record: Record) -> str:
    priority = next((priority for number, priority in _PRIORITIES if record["level"].no >= number), _DEBUG)
    record["extra"]["line"] = f"<{priority}>{_line(record)}"
    return "{extra[line]}\n"


def _for_people(record: Record) -> str:
    record["extra"]["line"] = f"{record['time']:YYYY-MM-DD HH:mm:ss.SSS} {record['level'].name:<8} {_line(record)}"
    return "{extra[line]}\n"


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, Exception):
        logger.opt(exception=error).critical("ended by a fault of its own")
    else:
        sys.__excepthook__(kind, error, trace)


class _ToLoguru(logging.Handler):
    """Hands on what libraries say through the standard `logging`."""

    def emit(self, record: logging.LogRecord) -> None:
        caught = record.exc_info if record.exc_info and record.exc_info[0] else None
        level = record.levelname if logging.getLevelName(record.levelname) in _STANDARD else max(record.levelno, 0)
        message = record.getMessage()
        # asyncio puts what an error says below its own first line
        logger.opt(exception=caught).log(level, "{}", f"{record.name}: {message.partition(chr(10))[0] if caught else message}")
