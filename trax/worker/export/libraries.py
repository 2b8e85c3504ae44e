"""The libraries of `trax[export]`, imported when a model is exported and never before. No other module of Trax imports them."""

from __future__ import annotations

import importlib.util
import os
import sys
import types
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from trax.errors import ModelError

#: As pyproject.toml has it; the versions whose checkpoints and classes this was tried with.
EXTRA: Final = "pip install 'trax[export]'"


def check_installed() -> None:
    """Raise ModelError, with what to do, where the extra is not installed. Nothing is loaded."""
    try:
        missing = [name for name in ("torch", "pyannote.audio", "onnx") if importlib.util.find_spec(name) is None]
    except ModuleNotFoundError:  # there is no package `pyannote` at all
        missing = ["pyannote.audio"]
    if missing:
        raise _missing(", ".join(missing))


def torch() -> Any:  # noqa: ANN401 - a module without types of its own
    """The module torch. Raises ModelError, with what to do, when it is not installed or does not load."""
    try:
        import torch  # type: ignore[import-not-found, unused-ignore]
    except (ImportError, OSError) as error:
        raise _missing(str(error)) from error
    return torch


@dataclass(frozen=True, slots=True)
class Pyannote:
    """What is needed of pyannote.audio: its networks by name, its `specifications` of a segmentation, and a recording of real speech."""

    networks: Mapping[str, Any]
    specifications: Callable[[int, int | None, float], Any]
    speech: Path


def pyannote() -> Pyannote:
    """pyannote.audio, whatever the native library of torchaudio was built for. Raises ModelError when it cannot be imported.

    That library is linked against CUDA, so beside a torch for the CPU it does not load, and torchaudio cannot be imported. Nothing of it
    is needed here: a stand-in says that it is not there.
    """
    stand_in: Any = types.ModuleType("torchaudio._extension")
    stand_in._IS_TORCHAUDIO_EXT_AVAILABLE = False  # noqa: SLF001 - what torchaudio's own modules ask
    stand_in.fail_if_no_align = lambda function: function
    sys.modules.setdefault("torchaudio._extension", stand_in)
    os.environ["PYANNOTE_METRICS_ENABLED"] = "false"  # it would tell its makers over the network that it is used
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torchcodec, which reads audio files, may be missing: no file is read here
        try:
            from pyannote.audio import __file__ as package
            from pyannote.audio.core.task import Problem, Resolution, Specifications
            from pyannote.audio.models import embedding, segmentation
        except (ImportError, OSError) as error:
            raise _missing(str(error)) from error

    def specifications(speakers: int, at_once: int | None, seconds: float) -> Any:  # noqa: ANN401 - a class of pyannote's
        return Specifications(
            problem=Problem.MULTI_LABEL_CLASSIFICATION if at_once is None else Problem.MONO_LABEL_CLASSIFICATION,
            resolution=Resolution.FRAME,
            duration=seconds,
            classes=[f"speaker#{number + 1}" for number in range(speakers)],
            powerset_max_classes=at_once,
            permutation_invariant=True,
        )

    networks = {name: getattr(module, name) for module in (embedding, segmentation) for name in dir(module)}
    return Pyannote(networks, specifications, Path(str(package)).parent / "sample" / "sample.wav")


def _missing(which: str) -> ModelError:
    what = f"Exporting a model needs torch, pyannote.audio and onnx, and not all of them are there: {which}."
    advice = f"Install them where trax-ctl is: {EXTRA}. Trax runs without them; only exporting needs them, on this or any other machine."
    return ModelError(what, advice=advice)
