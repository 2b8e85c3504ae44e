"""What only the workers' side can know of a machine: its native libraries, its processor, whether the built-in models load."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from trax.asr.native import chosen, folder_beside
from trax.models.store import survey
from trax.worker.loading import load
from trax.worker.sandbox import defences

#: The native libraries by their names on the package index, with the module that each brings.
_LIBRARIES = {
    "av": "av",
    "numpy": "numpy",
    "onnxruntime": "onnxruntime",
    "pocketsphinx": "pocketsphinx",
    "pywhispercpp": "_pywhispercpp",
}
#: What speeds the models up, as /proc/cpuinfo names it on x86 and ARM.
_FEATURES = ("avx", "avx2", "fma", "f16c", "avx512f", "avx512_vnni", "amx_int8", "asimd", "asimddp", "sve")


def facts(state_models: Path) -> dict[str, Any]:
    """Libraries, processor and models of this machine, JSON-ready; what fails is told, never raised.

    Returns:
        `libraries`: [{"name", "version", "problem"}], `cpu`: see `cpu_facts`, `defences`: see `trax.worker.sandbox.Defences`,
        `engine`: see `engine_facts`, `models`: [{"name", "kind", "engine", "scope", "problem"}],
        `findings`: what lies among the models and cannot be used. `problem` is None where all is well.
    """
    found = survey(state_models)
    return {
        "libraries": [
            {"name": name, "version": _version(name), "problem": _problem(partial(importlib.import_module, module))}
            for name, module in _LIBRARIES.items()
        ],
        "cpu": cpu_facts(_cpuinfo(), len(os.sched_getaffinity(0))),
        "defences": asdict(defences()),
        "engine": engine_facts(state_models),
        "models": [
            {
                "name": model.name,
                "kind": model.kind,
                "engine": model.engine,
                "scope": model.scope,
                "problem": _problem(partial(load, model, threads=1)),
            }
            for model in found.models
        ],
        "findings": [{"model": one.model, "what": one.what, "advice": one.advice, "file": one.file} for one in found.findings],
    }


def engine_facts(state_models: Path) -> dict[str, Any]:
    """Which whisper.cpp is used: `used` (a Library), `build` (what is known of the one of this machine), `refusal` (why not that one)."""
    choice = chosen(folder_beside(state_models))
    return {"used": choice.library.to_plain(), "build": choice.build and choice.build.to_plain(), "refusal": choice.refusal}


def cpu_facts(cpuinfo: str, usable: int) -> dict[str, Any]:
    """The processor in a text of /proc/cpuinfo: its name, how many cores this process may use, and its features that matter here."""
    fields: dict[str, str] = {}
    for line in cpuinfo.splitlines():
        key, colon, value = line.partition(":")
        if colon:
            fields.setdefault(key.strip().lower(), value.strip())
    flags = set((fields.get("flags") or fields.get("features") or "").split())
    return {
        "name": fields.get("model name") or "unknown",
        "usable_cores": usable,
        "features": [feature for feature in _FEATURES if feature in flags],
        "avx2": "avx2" in flags,
        "avx512": "avx512f" in flags,
    }


def _cpuinfo() -> str:
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _problem(action: Callable[[], object]) -> str | None:
    try:
        action()
    except Exception as error:  # noqa: BLE001 - whatever a native library raises is the fact that is asked for
        return f"{type(error).__name__}: {error}"
    return None
