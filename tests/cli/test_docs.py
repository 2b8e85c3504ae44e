"""Every command and option is in docs/trax-ctl.md, and every help text has examples."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from trax.cli.parser import build_parser

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "trax-ctl.md").read_text(encoding="utf-8")


def commands(parser: argparse.ArgumentParser, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], argparse.ArgumentParser]]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, child in action.choices.items():
                yield (*words, name), child
                yield from commands(child, (*words, name))


COMMANDS = dict(commands(build_parser()))


def section(words: tuple[str, ...]) -> str:
    """What the page says below the heading of a command."""
    found = re.search(rf"^## `trax-ctl {words[0]}\b.*?(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found, f"docs/trax-ctl.md has no section for {words[0]}"
    return found[0]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_and_option_is_documented(words: tuple[str, ...]) -> None:
    text = section(words)
    if len(words) > 1:
        assert f"trax-ctl {' '.join(words)}" in text
    for action in COMMANDS[words]._actions:
        for option in action.option_strings:
            assert f"`{option}" in (text if option not in {"--config", "--json", "-h", "--help"} else PAGE), option
        if not action.option_strings and isinstance(action.metavar, str) and action.dest != "action":
            assert action.metavar in text


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_help_has_examples_and_fits_a_terminal(words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    text = COMMANDS[words].format_help()
    assert "examples:" in text
    assert f"trax-ctl {' '.join(words)}" in text
    assert all(len(line) <= 100 for line in text.splitlines())


def test_the_page_documents_nothing_that_is_not_there() -> None:
    known = {option for parser in (build_parser(), *COMMANDS.values()) for action in parser._actions for option in action.option_strings}
    assert set(re.findall(r"`(--[a-z0-9-]+)", PAGE)) <= known
    assert set(re.findall(r"^## `trax-ctl ([a-z]+)", PAGE, re.MULTILINE)) == {words[0] for words in COMMANDS}


def test_every_exit_code_is_documented() -> None:
    for code in (0, 1, 2, 69, 75, 130):
        assert re.search(rf"^\| {code}\b", PAGE, re.MULTILINE), code
        assert re.search(rf"^  {code} ", build_parser().format_help(), re.MULTILINE), code
