"""`trax-ctl engine`: whisper.cpp for this machine, built and looked at by the workers' side in a process of its own."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trax.cli import render
from trax.cli.settings import load
from trax.cli.terminal import Terminal
from trax.cli.tools import tool


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """One of `build`, `show` and `remove`."""
    settings = load(args)
    match args.action:
        case "build":
            options = [] if args.source is None else [f"--from={Path(args.source).absolute()}"]
            options += ["--quiet"] if terminal.json else []
            result = tool(settings, "engine", "build", *options, watched=terminal)
            terminal.data(result, render.label(built(result["built"])))
        case "show":
            result = tool(settings, "engine", "show")
            terminal.data(result, render.label(used(result)))
        case _:
            result = tool(settings, "engine", "remove")
            gone = "Removed: the whisper.cpp that comes with Trax is used." if result["removed"] else "There was none."
            terminal.data(result, render.label(gone))
    return 0


def built(build: Mapping[str, Any]) -> str:
    """What is told of a build in a line."""
    by_wheel, by_build = build["seconds"]
    gain = f"{by_wheel / by_build:.1f} times as fast as the one that comes with Trax" if by_build else "of unknown speed"
    return f"{build['package']} ({build['variant']}), by {build['compiler']} on {build['built']}, for {build['processor']['name']}: {gain}"


def used(facts: Mapping[str, Any]) -> str:
    """Which build is used: `used`, `build` and `refusal` as the tools tell them."""
    if facts["refusal"]:
        return f"{facts['used']['package']} as it comes with Trax; the one built for this machine is not used: {facts['refusal']}"
    return f"{facts['used']['package']} as it comes with Trax" if facts["build"] is None else built(facts["build"])
