"""`trax-ctl models`: asked of the workers' side, which alone may load models, in a process of its own."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trax.cli import model_users, render, render_models
from trax.cli.settings import load
from trax.cli.terminal import Terminal
from trax.config import Settings, snapshot
from trax.errors import LedgerError, WorkerCrashed, WorkerHung, from_dict

#: Set-up fetches a wheel; verifying reads every byte of every model.
_SECONDS = 1800.0
_OPTIONS = {"add": ("name", "scope", "languages", "licence", "source", "window"), "setup": ("into",)}


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """One of `list`, `add`, `remove`, `verify` and `setup`."""
    settings = load(args)
    if args.action == "list":
        return _list(settings, terminal)
    if args.action == "remove":
        return _remove(settings, args.name, terminal)
    given = {option: getattr(args, option) for option in _OPTIONS.get(args.action, ())}
    extra = [f"--{option}={value}" for option, value in given.items() if value is not None]
    file = ["--", str(Path(args.file).absolute())] if args.action == "add" else []
    result = tool(settings, "models", args.action, *extra, *file)
    match args.action:
        case "add":
            terminal.data(result, render.label(result["added"]["name"]))
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


def _remove(settings: Settings, name: str, terminal: Terminal) -> int:
    place = settings.state_folder / "models" / name
    usable = [Path(model["path"]) for model in tool(settings, "models", "list")["models"] if model["name"] == name and model["path"]]
    if any(place in path.parents for path in usable):  # what is damaged, or is not there, nothing can use
        model_users.check_unused(settings, name)
    result = tool(settings, "models", "remove", "--", name)
    terminal.data(result, render.label(name))
    return 0


def tool(settings: Settings, *words: str) -> dict[str, Any]:
    """The answer of the workers' tools to a command such as `models list`.

    Raises:
        TraxError: What the tool says went wrong.
        WorkerCrashed: It ended without an answer.
        WorkerHung: It did not end in time.
    """
    # -P: never import from the working directory, where anything may lie
    command = [sys.executable, "-P", "-m", "trax.worker.tools", *_with_state(words, settings.state_folder)]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise WorkerHung(f"The models' tool did not end within {_SECONDS / 60:.0f} minutes.") from error
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        said = (done.stderr.decode(errors="backslashreplace").strip().splitlines() or ["nothing"])[-1]
        how = f"by signal {-done.returncode}" if done.returncode < 0 else f"with exit code {done.returncode}"
        advice = "Install Trax again; signal 4 (illegal instruction) means that this CPU is too old for the engines."
        raise WorkerCrashed(f"The models' tool ended {how} and said: {said}", advice=advice)
    if isinstance(answer.get("error"), dict):
        raise from_dict(answer["error"])
    return answer


def _with_state(words: Sequence[str], state: Path) -> list[str]:
    """The words with the state folder before a `--`, after which all are file names."""
    options = ["--state", str(state), "--json"]
    at = words.index("--") if "--" in words else len(words)
    return [*words[:at], *options, *words[at:]]
