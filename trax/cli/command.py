"""What every command of the command line has in common: its help, its examples, and the options that are taken everywhere."""

from __future__ import annotations

import argparse
import textwrap
from typing import TypeAlias


class Help(argparse.HelpFormatter):
    """Help whose paragraphs fit the terminal and whose examples, being indented, stay as they are written."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        paragraphs = (block if "\n  " in block else textwrap.fill(block, width) for block in text.split("\n\n"))
        return textwrap.indent("\n\n".join(paragraphs), indent)


Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 - argparse has no public name for it


def add_shared(parser: argparse.ArgumentParser, *, top: bool) -> None:
    """Add `--config` and `--json`; `top` is for the command line itself, which has their defaults."""
    # The same options are taken before and after the command; after it they have no default, which would undo one given before.
    shared = parser.add_argument_group("options everywhere")
    shared.add_argument(
        "--config",
        metavar="FILE",
        default=None if top else argparse.SUPPRESS,
        help="settings to use (default: $TRAX_CONFIG, else the installed or shipped trax.yaml); TRAX_* variables override it",
    )
    shared.add_argument(
        "--json",
        action="store_true",
        default=False if top else argparse.SUPPRESS,
        help="one JSON document on standard output, for programs",
    )


def command(subparsers: Subparsers, name: str, summary: str, about: str, examples: str) -> argparse.ArgumentParser:
    """Add a command: a few words, then paragraphs about it, then a line for each example."""
    parser = subparsers.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.\n\n{about.strip()}",
        epilog=f"examples:\n{examples.strip(chr(10))}",
        formatter_class=Help,
        allow_abbrev=False,
    )
    add_shared(parser, top=False)
    return parser
