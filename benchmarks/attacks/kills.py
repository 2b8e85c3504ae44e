"""Kill -9 at any moment: the daemon, its workers and the decoder, while recordings keep coming.

Then the same with inbox and outbox on mounts of their own: tmpfs in a private mount namespace, which only root may make.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

from attacks import Findings, Size
from attacks.aftermath import examine
from attacks.clips import speech_clips
from attacks.torture import Torture

_MOUNTS = (
    'for folder in inbox outbox; do mkdir "$1/$folder" && mount -t tmpfs -o mode=0770 none "$1/$folder" || exit 1; done; shift; exec "$@"'
)


def attack(size: Size, work: Path) -> Findings:
    """Torture one daemon with all on one file system, and one with inbox and outbox on others."""
    here = torture(work / "one", size.files, size.kills, size.seed)
    why_not = _why_no_mounts()
    if why_not:
        return Findings(f"{here.tried} Not tried with inbox and outbox on other mounts: {why_not}.", here.violations, here.figures)
    share = 5 if size.quick else 1
    there = _on_other_mounts(work / "mounts", max(2, size.files // share), max(1, size.kills // share), size.seed + 1)
    return Findings(
        f"{here.tried} With inbox and outbox on mounts of their own: {there.tried}",
        (*here.violations, *(f"On other mounts: {violation}" for violation in there.violations)),
        (*here.figures, *(f"on other mounts: {figure}" for figure in there.figures)),
    )


def torture(root: Path, files: int, kills: int, seed: int) -> Findings:
    """Drop `files` recordings to one daemon and deal `kills` blows, then look at what is left."""
    root.mkdir(exist_ok=True)
    began = time.monotonic()
    run = Torture(root, speech_clips(root.with_name(f"{root.name}-clips"), files, seed=seed), kills, seed)
    run.run()
    after = examine(root, run.dropped)
    killed = ", ".join(f"{name} {count}" for name, count in sorted(run.killed.items()))
    return Findings(
        f"{run.killed.total()} kills ({killed}; {run.early} of them before a restarted daemon was ready) while {files} recordings came in.",
        (*run.violations, *after.violations),
        (
            f"{after.transcripts} transcripts and {after.errors} error answers for {files} recordings",
            f"ledger read {run.readings} times, at once after each kill and restart",
            f"took {time.monotonic() - began:.0f} s",
        ),
    )


def _why_no_mounts() -> str | None:
    if os.geteuid() != 0:
        return "only root may mount"
    if shutil.which("unshare") is None:
        return "there is no unshare here"
    tried = subprocess.run(("unshare", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"), capture_output=True, text=True, check=False)
    return None if tried.returncode == 0 else f"mounting is refused ({tried.stderr.strip()})"


def _on_other_mounts(root: Path, files: int, kills: int, seed: int) -> Findings:
    """`torture` in a mount namespace of its own, whose mounts go when it ends."""
    root.mkdir()
    arguments = (str(root), str(files), str(kills), str(seed))
    program = (sys.executable, "-m", "attacks.kills", *arguments)
    told = subprocess.run(
        ("unshare", "--mount", "--propagation", "private", "sh", "-c", _MOUNTS, "sh", str(root), *program),
        cwd=Path(__file__).parents[1],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    plain = json.loads(told.stdout)
    return Findings(plain["tried"], tuple(plain["violations"]), tuple(plain["figures"]))


if __name__ == "__main__":
    place, *numbers = sys.argv[1:]
    print(json.dumps(asdict(torture(Path(place), *map(int, numbers)))))
