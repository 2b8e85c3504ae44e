"""Attack every promise of docs/reliability.md and print one goal line for each: the number of violations found.

    QUICK=1 ONLY=kills,links KILLS=200 FILES=500 SEED=1 python benchmarks/reliability.py [--write docs/reliability.md]

Each attack has a throw-away root. One that cannot run to its end counts as a violation: what was not tried was not kept.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
import traceback
from importlib import import_module
from pathlib import Path

from attacks import Findings, Size, size_of_this_run
from goals import report
from machine import this_machine
from reliability_page import write_figures

#: The promises in the order of docs/reliability.md: the module of the attack, and what must not happen.
ATTACKS = {
    "kills": "Kill -9 at any moment loses, doubles or halves something",
    "crash_points": "A crash or power cut at some operation leaves more or less than one outcome",
    "disk_full": "A full disk or another mount loses or halves something",
    "ledger": "A damaged ledger, a second daemon or parallel commands lose something",
    "events": "A missed event or a pausing copy is not taken in whole",
    "names": "A hostile name does harm",
    "links": "A link or special file is opened as a recording",
    "media": "Hostile media reach anything, or take too much",
    "poison": "An input that kills workers hurts other jobs or the daemon",
    "stopping": "Stopping takes too long, charges attempts, or a frozen daemon is not caught",
    "retries": "A retry is missing, repeated, too soon, or with other settings",
    "privacy": "Something confidential can be read by others, or a trace is left after purge",
    "soak": "A thousand jobs leave something behind",
}


def run_attack(name: str, size: Size) -> Findings:
    """Run one attack; whatever ends it early is a violation."""
    with tempfile.TemporaryDirectory(prefix=f"trax-{name}-") as work:
        try:
            findings: Findings = import_module(f"attacks.{name}").attack(size, Path(work))
        except Exception as error:  # noqa: BLE001 - one attack that breaks must not keep the others from running
            traceback.print_exc()
            return Findings("The attack itself broke.", (f"{type(error).__name__}: {error}",))
    return findings


def main() -> int:
    """Run the attacks; returns the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the figures into this page")
    asked = parser.parse_args()
    size = size_of_this_run()
    only = [name for name in os.environ.get("ONLY", "").split(",") if name]
    if unknown := set(only) - set(ATTACKS):
        parser.error(f"ONLY names attacks that do not exist: {', '.join(sorted(unknown))}; there are {', '.join(ATTACKS)}")
    found: dict[str, Findings] = {}
    seconds: dict[str, float] = {}
    print(f"machine: {this_machine()}", flush=True)
    for name in only or ATTACKS:
        began = time.monotonic()
        found[name] = run_attack(name, size)
        seconds[name] = time.monotonic() - began
        print(f"\n{name} ({seconds[name]:.0f} s): {found[name].tried}", *found[name].figures, sep="\n  ", flush=True)
        for violation in found[name].violations:
            print(f"  VIOLATION: {violation}", file=sys.stderr, flush=True)
    if asked.write:
        write_figures(asked.write, found, seconds, size, tuple(ATTACKS))
    print()
    skipped = {f"reliability_{name}": "not asked for" for name in ATTACKS if name not in found}
    return report("reliability", {f"reliability_{name}": len(each.violations) for name, each in found.items()}, skipped)


if __name__ == "__main__":
    raise SystemExit(main())
