"""One of the processes that give commands: each is the whole of trax-ctl, from its command line to its exit code."""

from __future__ import annotations

import contextlib
import io
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass

from trax.cli.main import main as trax_ctl

DONE, FAILED, UNREACHABLE, TRY_LATER = 0, 1, 69, 75
#: One command of so many is about a job that all processes share.
_SHARED_EVERY = 5


@dataclass(frozen=True, slots=True)
class Said:
    """A command, the job it was about, and its exit code; `is_kept`: it was left for a daemon to come."""

    word: str
    job: str
    code: int
    is_kept: bool = False


def give(config: str, word: str, job: str) -> Said:
    """Give one command as from a shell."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        code = trax_ctl(["--config", config, "--json", *((word,) if word == "status" else (word, job))])
    is_kept = code == DONE and bool(json.loads(out.getvalue()).get("requested"))
    return Said(word, job, code, is_kept)


def obey(config: str, own: Sequence[str], shared: Sequence[str], count: int, seed: int) -> list[Said]:
    """Cancel and retry jobs at random, most of them nobody else's, and look at the status now and then."""
    randomness = random.Random(seed)
    said = []
    for _ in range(count):
        job = randomness.choice(own if randomness.randrange(_SHARED_EVERY) else shared)
        said.append(give(config, randomness.choices(("cancel", "retry", "status"), (9, 9, 2))[0], job))
    return said
