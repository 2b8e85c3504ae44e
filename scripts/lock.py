"""`make lock`: pin everything that an install brings, so that tomorrow's install is today's.

Asks pip, under every supported Python that is on the PATH, oldest first, what `trax[dev]` would bring from the package index, wheels only.
The newer ones are held to what the oldest got, but for requirements that pyproject.toml itself gives by Python. One line a package in
constraints.txt: a plain pin where all Pythons agree, pins with markers where they do not.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "constraints.txt"
SUPPORTED = ("3.11", "3.12", "3.13")
HEADING = """\
# What an install of trax[dev] brings, pinned; pip is given this file with -c. Written by `make lock`; not by hand.
# Resolved, wheels only, for Python {pythons}.
"""


def plain(name: str) -> str:
    """A package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def given_by_python() -> set[str]:
    """The requirements that pyproject.toml gives with a marker."""
    requirements = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    return {plain(re.split(r"[^\w.-]", each)[0]) for each in requirements if ";" in each}


def resolved(python: str, held: dict[str, str]) -> dict[str, str]:
    """What pip would install under this Python, held to these pins: package → version."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([python, "-m", "venv", folder], check=True)
        report_file = Path(folder) / "report.json"
        command = [f"{folder}/bin/python", "-m", "pip", "install", "--quiet", "--dry-run", "--only-binary=:all:"]
        constraints = Path(folder) / "held.txt"
        constraints.write_text("".join(f"{name}=={pin}\n" for name, pin in held.items()), encoding="utf-8")
        clean = {name: value for name, value in os.environ.items() if not name.endswith("_CONSTRAINT")}  # the former lock holds nothing
        subprocess.run([*command, f"--constraint={constraints}", f"--report={report_file}", f"{ROOT}[dev]"], check=True, env=clean)
        report = json.loads(report_file.read_bytes())
    found = (package["metadata"] for package in report["install"])
    return {plain(package["name"]): package["version"] for package in found if package["name"] != "trax"}


def has(python: str) -> bool:
    """Whether this Python can be started."""
    try:
        return subprocess.run([python, "-c", ""], check=False, capture_output=True).returncode == 0
    except OSError:
        return False


def main() -> int:
    """Write the lock; exit 2 when no supported Python is there."""
    pythons = {version: f"python{version}" for version in SUPPORTED if has(f"python{version}")}
    if not pythons:
        print(f"none of {', '.join(f'python{version}' for version in SUPPORTED)} is on the PATH", file=sys.stderr)
        return 2
    versions: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for version, python in pythons.items():
        print(f"resolving for Python {version} …", file=sys.stderr)
        held = {name: next(iter(pins)) for name, pins in versions.items() if name not in given_by_python()}
        for name, pin in resolved(python, held).items():
            versions[name][pin].append(version)
    lines = []
    for name, pins in sorted(versions.items()):
        for pin, wanted_by in sorted(pins.items()):
            marker = " or ".join(f'python_version == "{version}"' for version in wanted_by)
            lines.append(f"{name}=={pin}" + (f" ; {marker}" if len(pins) > 1 else ""))
    LOCK.write_text(HEADING.format(pythons=", ".join(pythons)) + "\n".join(lines) + "\n", encoding="utf-8")
    print(f"{LOCK.name}: {len(lines)} pins")
    return 0


if __name__ == "__main__":
    sys.exit(main())
