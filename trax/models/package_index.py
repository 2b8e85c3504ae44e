"""One file of the Python package index, fetched by pip."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Literal

from trax.errors import TraxError

_SECONDS = 600.0
_FORMS = {"wheel": ("--only-binary=:all:", "*.whl", ""), "source": ("--no-binary=:all:", "*.tar.gz", "the source of ")}


def fetched(
    requirement: str, sha256: str, into: Path, *, form: Literal["wheel", "source"], error: type[TraxError], advice: str
) -> Path:
    """The wheel or the source of a package, such as "resemblyzer==0.1.4", with the hash that it must have, in the folder `into`.

    Raises `error`, with that advice where pip could not fetch it.
    """
    option, ending, kind = _FORMS[form]
    command = [sys.executable, "-P", "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", option]
    command += ["--require-hashes", "--requirement", "/dev/stdin", "--dest", str(into)]
    pinned = f"{requirement} --hash=sha256:{sha256}\n"
    try:
        # a list of fixed words, and pip checks the hash before anything reads the file
        done = subprocess.run(command, input=pinned, text=True, capture_output=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as failure:
        raise error(f"Could not fetch {requirement}: {failure}.") from failure
    found = list(into.glob(ending))
    if done.returncode != 0 or len(found) != 1:
        reason = (done.stderr.strip().splitlines() or ["pip said nothing"])[-1]
        raise error(f"pip could not fetch {kind}{requirement}: {reason}", advice=advice)
    return found[0]
