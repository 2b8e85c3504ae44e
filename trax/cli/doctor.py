"""`trax-ctl doctor`: looks at everything Trax stands on and tells what `trax.cli.checks` thinks of it. It changes nothing."""

from __future__ import annotations

import argparse
import getpass
import json
import os
import platform
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from trax import __version__, files
from trax.cli import checks, offline, render
from trax.cli.checks import Check, FolderFacts
from trax.cli.client import ask
from trax.cli.settings import load
from trax.cli.terminal import Terminal
from trax.cli.tools import tool
from trax.config import Settings, snapshot
from trax.errors import ConfigError, DaemonAbsent, DaemonBusy, TraxError
from trax.jobs.damaged import kept_beside
from trax.jobs.folders import StateFolders
from trax.settings_file import settings_path


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """All checks; 1 when one of them is a problem."""
    found = list(_checks(args))
    plain = [asdict(check) for check in found]
    terminal.data({"checks": plain}, render.checks_view(plain))
    return 1 if any(check.level == "problem" for check in found) else 0


def _checks(args: argparse.Namespace) -> Iterator[Check]:
    yield Check("ok", "user", f"{getpass.getuser()}: what follows is what this user may do")
    path = settings_path(None if args.config is None else Path(args.config))
    try:
        settings = load(args)
    except ConfigError as error:
        yield from (Check("problem", "settings", problem, f"Correct {path}; then: trax-ctl config check") for problem in error.problems)
        return  # nothing else can be judged
    yield Check("ok", "settings", str(path))
    yield from _folders(settings)
    yield from checks.processor(platform.machine(), _cpu_flags(), len(os.sched_getaffinity(0)), settings)
    yield checks.memory(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), settings)
    yield from _models(settings)
    yield _daemon(settings)
    yield _ledger(settings)


def _folders(settings: Settings) -> Iterator[Check]:
    facts = {
        "inbox": folder_facts(settings.inbox_folder),
        "outbox": folder_facts(settings.outbox_folder),
        "state": folder_facts(settings.state_folder),
    }
    for name, fact in facts.items():
        yield checks.folder(name, fact)
    yield checks.mounts({name: fact.device for name, fact in facts.items() if fact.exists})
    nearest = next(folder for folder in (settings.state_folder, *settings.state_folder.parents) if folder.exists())
    yield checks.room(files.free_bytes(nearest), settings)
    if facts["outbox"].exists and facts["state"].exists and facts["outbox"].device != facts["state"].device:
        yield checks.outbox_room(files.free_bytes(settings.outbox_folder))


def folder_facts(path: Path) -> FolderFacts:
    """What the present user finds at `path`."""
    try:
        found = path.stat()
    except OSError:
        parent = next(folder for folder in path.parents if os.access(folder, os.F_OK))
        return FolderFacts(path, exists=False, parent_writable=os.access(parent, os.W_OK | os.X_OK))
    readable = os.access(path, os.R_OK | os.X_OK)
    return FolderFacts(
        path,
        exists=True,
        is_folder=path.is_dir(),
        readable=readable,
        usable=readable and os.access(path, os.W_OK),
        read_only=bool(os.statvfs(path).f_flag & os.ST_RDONLY),
        mode=found.st_mode,
        device=found.st_dev,
    )


def _cpu_flags() -> frozenset[str]:
    """What the first CPU can do, in the kernel's words; empty where the kernel does not say."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return frozenset()
    line = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return frozenset(line.partition(":")[2].split())


def _models(settings: Settings) -> Iterator[Check]:
    try:
        facts = tool(settings, "doctor")
        yield checks.libraries(facts["libraries"])
        yield checks.engine(facts["engine"])
        yield checks.sandbox(facts["defences"])
        yield from checks.models(facts["models"], settings)
        # a process of its own, which most settings need not start
        chosen = tool(settings, "models", "list", json.dumps(snapshot(settings)))["chosen"] if settings.wants_second_pass else {}
        if (second := checks.second_pass(chosen, settings)) is not None:
            yield second
        for finding in facts["findings"]:
            yield Check("warning", "models", f"{finding['model']}: {finding['what']}", finding["advice"])
    except TraxError as error:
        yield Check("problem", "models", error.what, error.advice)


def _daemon(settings: Settings) -> Check:
    try:
        return checks.daemon(ask(settings.socket_path, {"command": "ping"}), __version__)
    except (DaemonAbsent, DaemonBusy) as error:
        return Check("warning", "daemon", error.what, error.advice)
    except TraxError as error:
        return Check("problem", "daemon", error.what, error.advice)


def _ledger(settings: Settings) -> Check:
    if not os.access(settings.state_folder, os.F_OK):
        return Check("ok", "ledger", "no jobs yet")
    folder = StateFolders(settings.state_folder).ledger
    try:
        ledger = offline.open_ledger(settings)
    except DaemonAbsent as error:
        if isinstance(error.__cause__, PermissionError):
            return Check("problem", "ledger", "you may not read it", error.advice)
        return Check("ok", "ledger", "no jobs yet")
    except TraxError as error:
        return Check("problem", "ledger", error.what, error.advice)
    return checks.ledger({status.value: count for status, count in ledger.counts().items()}, ledger.damaged, kept_beside(folder))
