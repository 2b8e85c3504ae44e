"""The machine that figures were measured on."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path

import psutil

_GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class Machine:
    """What a figure depends on: the CPU's name, the cores this process may use, memory in GiB."""

    cpu: str
    cores: int
    memory_gib: float
    python: str

    def __str__(self) -> str:
        return f"{self.cpu}, {self.cores} cores, {self.memory_gib:.0f} GiB, Python {self.python}"


def cpu_model(cpuinfo: str) -> str | None:
    """The CPU's name in the text of /proc/cpuinfo, with its family and model where the name says nothing by itself."""
    fields = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in cpuinfo.splitlines())}
    name = fields.get("model name")
    if name and len(name.split()) > 2:  # noqa: PLR2004 - "Intel Xeon" is no model yet
        return name
    details = ", ".join(f"{key} {fields[key]}" for key in ("cpu family", "model", "stepping") if key in fields)
    return f"{name} ({details})" if name and details else name


def this_machine() -> Machine:
    """The machine this runs on."""
    return Machine(
        cpu=cpu_model(Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")) or platform.machine(),
        cores=len(os.sched_getaffinity(0)),
        memory_gib=psutil.virtual_memory().total / _GIB,
        python=platform.python_version(),
    )
