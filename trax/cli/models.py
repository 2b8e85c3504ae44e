"""`trax-ctl models`: asked of the workers' side, which alone may load models, in a process of its own."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Literal

from trax.cli import model_users, render, render_models
from trax.cli.settings import load
from trax.cli.terminal import Terminal
from trax.cli.tools import tool
from trax.config import Settings, snapshot
from trax.errors import LedgerError
from trax.secrets import find

_TOKEN: Literal["HUGGINGFACE_TOKEN"] = "HUGGINGFACE_TOKEN"  # noqa: S105 - its name, not itself
_OPTIONS = {"add": ("name", "scope", "languages", "licence", "source", "window"), "setup": ("into",)}


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """One of `list`, `pull`, `add`, `remove`, `calibrate`, `export`, `verify` and `setup`."""
    settings = load(args)
    match args.action:
        case "list":
            return _list(settings, terminal)
        case "pull":
            return _pull(settings, args.name, args.source, terminal)
        case "remove":
            return _remove(settings, args.name, terminal)
        case "calibrate":
            return _calibrate(settings, args.name, Path(args.folder).absolute(), terminal)
        case "export":
            return _export(settings, args, terminal)
        case _:
            return _plainly(settings, args, terminal)


def _plainly(settings: Settings, args: argparse.Namespace, terminal: Terminal) -> int:
    """What is asked of the tools as it stands: `add`, `verify` and `setup`."""
    given = {option: getattr(args, option) for option in _OPTIONS.get(args.action, ())}
    extra = [f"--{option}={value}" for option, value in given.items() if value is not None]
    file = ["--", str(Path(args.file).absolute())] if args.action == "add" else []
    result = tool(settings, "models", args.action, *extra, *file)
    match args.action:
        case "add":
            added = result["added"]
            terminal.data(result, render.label(added["name"]))
            if (made_of := added["pulled"].get("files")) and added["sha256"] not in made_of.values():
                terminal.note(f"Quantised to {added['settings']['weights']}, as by `pull`; under another --name it would stay as it is.")
        case "verify":
            terminal.data(result, render_models.verified_view(result["verified"], result["findings"]))
            return 1 if result["findings"] else 0
        case _:
            terminal.data(result, render.label(result["made"]))
    return 0


def _list(settings: Settings, terminal: Terminal) -> int:
    result = tool(settings, "models", "list", json.dumps(snapshot(settings)))
    try:
        jobs = model_users.unfinished_jobs(settings)
    except LedgerError:  # the models are to be seen all the same; `trax-ctl status` tells of the ledger
        jobs = {}
    chosen = set(result["chosen"].values())
    for model in result["models"]:
        name = model["name"]
        keys = model_users.naming(settings, name)
        model["used_by"] = {"settings": list(keys), "auto": name in chosen and not keys, "jobs": list(jobs.get(name, ()))}
    terminal.data(result, render_models.models_view(result["models"], result["catalogue"], result["pairs"]))
    for finding in result["findings"]:
        terminal.say(render.refusal_view({"job": finding["model"], "error": finding}))
    return 0


def _hub_secrets() -> dict[str, str]:
    """What the hub may ask for, where it is known."""
    token = find(_TOKEN)
    return {} if token is None else {_TOKEN: token.get_secret_value()}


def _pull(settings: Settings, name: str, source: str | None, terminal: Terminal) -> int:
    if source is not None and "://" not in source:
        source = str(Path(source).absolute())
    options = [f"--mirror={settings.models.mirror}"]
    options += [f"--from={source}"] if source is not None else []
    options += ["--quiet"] if terminal.json else []
    result = tool(settings, "models", "pull", *options, "--", name, watched=terminal, secrets=_hub_secrets())
    terminal.data(result, render.label(name))
    if not result["is_new"]:
        terminal.note("It was installed already, and is whole: nothing was fetched.")
    return 0


def _export(settings: Settings, args: argparse.Namespace, terminal: Terminal) -> int:
    given = {name: getattr(args, name) for name in ("name", "threshold", "licence", "source")}
    options = [f"--mirror={settings.models.mirror}", *(f"--{name}={value}" for name, value in given.items() if value is not None)]
    options += [*(["--int8"] if args.int8 else []), *(["--quiet"] if terminal.json else [])]
    file = Path(args.checkpoint)
    checkpoint = str(file.absolute()) if file.exists() else args.checkpoint
    result = tool(settings, "models", "export", *options, "--", checkpoint, watched=terminal, secrets=_hub_secrets())
    terminal.data(result, render.label(result["exported"]["name"]))
    return 0


def _remove(settings: Settings, name: str, terminal: Terminal) -> int:
    place = settings.state_folder / "models" / name
    usable = [Path(model["path"]) for model in tool(settings, "models", "list")["models"] if model["name"] == name and model["path"]]
    if any(place in path.parents for path in usable):  # what is damaged, or is not there, nothing can use
        model_users.check_unused(settings, name)
    result = tool(settings, "models", "remove", "--", name)
    terminal.data(result, render.label(name))
    return 0


def _calibrate(settings: Settings, name: str, folder: Path, terminal: Terminal) -> int:
    options = ["--quiet"] if terminal.json else []
    result = tool(settings, "models", "calibrate", *options, "--", name, str(folder), watched=terminal)
    terminal.data(result, f"{result['threshold']:g}")
    confused = 100 * min(result["confusion"].values())
    terminal.note(f"With it, {confused:.1f} % of the speech in {result['recordings']} recordings goes to the wrong speaker.")
    if not result["kept"]:
        terminal.note(f"{render.label(name)} came with Trax and stays as it is: set diarize.threshold to use this threshold.")
    return 0
