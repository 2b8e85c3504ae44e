"""Full disks, and inbox and outbox on other mounts: jobs wait, nothing partial appears, and all goes on when there is room.

The disks are tmpfs in a mount namespace of its own, which root may make, and others where the system lets users have namespaces.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from attacks import Findings, Size

_INSIDE = Path(__file__).with_name("full_disks.py")


def attack(size: Size, work: Path) -> Findings:
    """Fill disks of every size, at every stage, and those of inbox and outbox apart; read-only and unmounted too."""
    if (why := why_not()) is not None:
        return Findings(f"Nothing: {why}.", (f"full disks were not tried: {why}",))
    steps, stages = size.pick(full=80, quick=12, test=3), size.pick(full=4, quick=4, test=0)
    done = subprocess.run(
        (*_namespace(), sys.executable, str(_INSIDE), str(work), str(steps), str(stages), str(size.seed)),
        stdout=subprocess.PIPE,
        check=True,
    )
    found = json.loads(done.stdout)
    waited = {run["what"]: run["waited"] for run in found["runs"]}
    return Findings(
        f"A short recording on each of {steps} disks with between none and 160,000 free bytes, which is what it takes "
        f"({waited['sizes']} recordings had to wait); the disk filled in the middle of {stages} stages; inbox, outbox and state on three "
        f"disks, each full in turn, the outbox read-only and unmounted too, a recording too large for the disk, a start "
        f"without a free byte, and one with a recording half out of an inbox that is read-only by then "
        f"({waited['stages'] + waited['mounts'] + waited['start'] + waited['claim']} waited).",
        tuple(found["violations"]),
        tuple(f"{run['what']}: {run['waited']} waited, {run['seconds']} s" for run in found["runs"]),
    )


def why_not() -> str | None:
    """Why no disks of our own can be mounted here; None where they can."""
    if shutil.which("unshare") is None:
        return "there is no unshare here"
    tried = subprocess.run((*_namespace(), "mount", "-t", "tmpfs", "none", "/mnt"), capture_output=True, text=True, check=False)
    return None if tried.returncode == 0 else f"no mount namespace can be had ({tried.stderr.strip()})"


def _namespace() -> tuple[str, ...]:
    return ("unshare", "--mount", "--propagation", "private", *(() if os.geteuid() == 0 else ("--user", "--map-root-user")))
