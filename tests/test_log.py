"""What a real process writes to stderr."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = r"""
import logging, os, sys
from trax import log
from loguru import logger
log.configure(sys.argv[1])
logger.debug("a detail")
logger.info("plain {braces} <red>tags</red>")
with log.about("job-1"):
    logger.warning("\x1b[31mtwo\nlines \u202e and a stray \udcff byte, Zürich 日本")
    hush = "sk-hush"
    try:
        raise ValueError("broken\nvalue {x}", len(hush))
    except ValueError:
        logger.exception("it failed")
logger.bind(job="job-2").error("bound")
logging.getLogger("asyncio").error("slow %s", "callback")
logging.getLogger("some.library").info("3 changes detected")
"""


def lines(tmp_path: Path, level: str, environ=None, stderr=None) -> list[str]:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    clean = {name: value for name, value in os.environ.items() if name not in {"JOURNAL_STREAM", "PYTHONUTF8", "PYTHONIOENCODING"}}
    out = tmp_path / "stderr"
    with out.open("wb") as handle:
        there = os.fstat(handle.fileno())
        journal = {"JOURNAL_STREAM": f"{there.st_dev}:{there.st_ino}"} if stderr == "journal" else {}
        subprocess.run([sys.executable, script, level], stderr=handle, env=clean | journal | (environ or {}), check=True)
    return out.read_text(encoding="utf-8").splitlines()


def test_one_line_a_record_with_its_job(tmp_path):
    said = [re.sub(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} ", "", line) for line in lines(tmp_path, "INFO")]
    assert said[0] == "INFO     [-] plain {braces} <red>tags</red>"
    assert said[1] == r"WARNING  [job-1] \x1b[31mtwo\nlines \u202e and a stray \xff byte, Zürich 日本"
    assert said[2].startswith(r"ERROR    [job-1] it failed\nTraceback (most recent call last):\n")
    assert re.search(r"\\nValueError at \S+/script\.py:\d+$", said[2])
    assert "value {x}', 7" not in said[2]  # the line of the source, and nothing of what the error says
    assert said[3:] == ["ERROR    [job-2] bound", "ERROR    [-] asyncio: slow callback"]


def test_the_journal_gets_priorities_and_no_times(tmp_path):
    said = lines(tmp_path, "DEBUG", stderr="journal")
    assert [line[:3] for line in said] == ["<7>", "<6>", "<4>", "<3>", "<3>", "<3>"]
    assert said[1] == "<6>[-] plain {braces} <red>tags</red>"


def test_a_journal_that_stderr_does_not_lead_to_changes_nothing(tmp_path):
    assert not lines(tmp_path, "INFO", {"JOURNAL_STREAM": "8:12345"})[0].startswith("<")


def test_values_of_variables_are_never_shown(tmp_path):
    assert "sk-hush" not in "".join(line.replace('hush = "sk-hush"', "") for line in lines(tmp_path, "DEBUG"))


def test_a_plain_locale_does_not_stop_it(tmp_path):
    said = lines(tmp_path, "INFO", {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"})
    assert len(said) == 5


@pytest.mark.parametrize(("text", "shown"), [("talk.mp3", "talk.mp3"), ("a\nb", r"a\nb"), ("\udcfc", r"\xfc"), ("日本 é", "日本 é")])
def test_printable(text, shown):
    from trax.text import printable

    assert printable(text) == shown
