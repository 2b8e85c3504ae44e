"""`trax-ctl speakers`: who is enrolled is kept in files that belong to Trax's own user; taking back names is the daemon's."""

from __future__ import annotations

import argparse
import asyncio
import json
from pathlib import Path
from typing import Any

from trax import core_dumps, files
from trax.cli import offline, render
from trax.cli.client import ask
from trax.cli.settings import load
from trax.cli.terminal import Terminal
from trax.config import Settings
from trax.errors import DaemonAbsent, SpeakerError
from trax.jobs import speakers
from trax.jobs.folders import StateFolders
from trax.service import enrolling
from trax.service.enrolling import Known
from trax.text import printable

#: How long the daemon may look through what it keeps, seconds.
_FORGET_SECONDS = 60.0
#: So many bytes of a transcript hold its speakers.
_HEAD = 1 << 20


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """One of `enroll`, `list`, `rename` and `forget`."""
    settings = load(args)
    core_dumps.forbid()
    match args.action:
        case "enroll":
            return _enroll(settings, args, terminal)
        case "list":
            return _list(settings, terminal)
        case "rename":
            return _rename(settings, args.name, args.new_name, terminal)
        case _:
            return _forget(settings, args, terminal)


def _enroll(settings: Settings, args: argparse.Namespace, terminal: Terminal) -> int:
    clips = [Path(name) for name in args.files]
    known = asyncio.run(enrolling.enroll(settings, args.name, clips, is_kept=not args.discard_clips))
    terminal.data(_view(known), render.label(known.profile.name))
    _say(known, terminal)
    if not settings.diarize.profiles:
        terminal.note("Nobody is named yet: set diarize.profiles to true and restart traxd.")
    return 0


def _say(known: Known, terminal: Terminal) -> None:
    if known.problem:
        terminal.note(known.problem)
    for other in known.alike:
        terminal.note(f"{known.profile.name} and {other} sound so much alike that one may be taken for the other.")


def _list(settings: Settings, terminal: Terminal) -> int:
    everyone = asyncio.run(enrolling.everyone(settings))
    table = render.lineless("name", "clips", "speech", "not looked for because", names=("name", "not looked for because"))
    for known in everyone:
        speech = f"{known.speech:.0f} s"
        columns = (known.profile.name, len(known.profile.clips), speech, known.problem or "")
        table.add_row(*map(render.label, columns))
    terminal.data({"speakers": [_view(known) for known in everyone], "is_on": settings.diarize.profiles}, table)
    if not settings.diarize.profiles:
        terminal.note("diarize.profiles is off: nobody is named.")
    return 0


def _view(known: Known) -> dict[str, Any]:
    return {
        "name": known.profile.name,
        "clips": [{"name": name, "kept": clip.is_kept, "error": clip.error} for name, clip in known.profile.clips.items()],
        "speech_seconds": round(known.speech, 1),
        "problem": known.problem,
        "alike": list(known.alike),
    }


def _rename(settings: Settings, name: str, new_name: str, terminal: Terminal) -> int:
    folder = StateFolders(settings.state_folder).speakers
    name, new_name = speakers.checked_name(name), speakers.checked_name(new_name)
    known = {profile.name for profile in speakers.enrolled(folder)}
    if name not in known:
        raise SpeakerError(f"Nobody called {name} is enrolled.")
    if new_name in known:
        raise SpeakerError(f"{new_name} is enrolled already.", advice=f"Forget one of the two, or enrol the clips of {name} as {new_name}.")
    with speakers.lock(folder) as is_free:
        if not is_free:
            raise SpeakerError("Somebody is being enrolled.", advice="Try again in a moment.")
        files.rename(folder / name, folder / new_name)
    terminal.data({"renamed": name, "name": new_name}, render.label(new_name))
    return 0


def _forget(settings: Settings, args: argparse.Namespace, terminal: Terminal) -> int:
    name = speakers.checked_name(args.name)
    if not args.yes:
        if not terminal.can_ask:
            raise SpeakerError("Nothing was forgotten: this cannot be undone, and there is no terminal to ask in.", advice="Say --yes.")
        if not terminal.confirm(f"Forget {name} for good: clips, voice, and the name in transcripts?"):
            terminal.note("Nothing was forgotten.")
            return 1
    request = {"command": "forget", "speaker": name}
    try:
        result = ask(settings.socket_path, request, timeout=_FORGET_SECONDS)
    except DaemonAbsent:
        result = offline.forget(settings, request)
        terminal.note("traxd is not running: the voice is forgotten; the name in transcripts is taken back when it starts.")
    else:
        result = {**result, "outputs": _naming(settings.outbox_folder, name, set(result["rewritten"]))}
        for output in result["outputs"]:
            terminal.note(f"{output} keeps the name: somebody changed it, or its job is no longer kept.")
        for refused in result["refused"]:
            terminal.say(render.refusal_view(refused))
    if terminal.json:
        terminal.line(json.dumps(result))
    else:
        terminal.line(printable(name))
    return 1 if result["refused"] else 0


def _naming(outbox: Path, name: str, rewritten: set[str]) -> list[str]:
    """The transcripts in the outbox that name this person and will not be made anew, relative to it."""
    needle = f'"profile": {{"name": {json.dumps(name, ensure_ascii=False)},'.encode()
    found = []
    for path in sorted(outbox.rglob("*.json")):
        try:
            with path.open("rb") as handle:
                head = handle.read(_HEAD)
        except OSError:
            continue
        if needle in head and not any(f'"job": "{job}"'.encode() in head for job in rewritten):
            found.append(printable(str(path.relative_to(outbox))))
    return found
