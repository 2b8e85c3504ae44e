"""What a pyannote.audio checkpoint is, read without running anything of it: architecture, what it was built with, weights.

pyannote.audio saves through Lightning: the weights are in `state_dict`, the arguments of the network's class in `hyper_parameters`, and
its own entry says the class and the task (`on_save_checkpoint` in `pyannote/audio/core/model.py`). Only known classes are let pass, and of
their arguments only plain values; what Trax cannot reproduce at run time is refused here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from trax.errors import ModelError
from trax.models.model import EngineName
from trax.models.torch_reader import MAX_BYTES, Described, read_checkpoint

#: The classes that can be exported, and what runs the network that is made of each.
ENGINES: Final[Mapping[str, EngineName]] = {
    "WeSpeakerResNet34": "wespeaker",
    "WeSpeakerResNet152": "wespeaker",
    "WeSpeakerResNet221": "wespeaker",
    "WeSpeakerResNet293": "wespeaker",
    "XVectorSincNet": "xvector",
    "XVectorMFCC": "xvector",
    "PyanNet": "pyannet",
}
_OF_PYANNOTE: Final = "pyannote.audio.models."
_ENTRY: Final = "pyannote.audio"
_ARGUMENTS: Final = "hyper_parameters"

#: What the front ends of Trax compute; a checkpoint that says nothing of it means the same.
_HEARD: Final[Mapping[str, Any]] = {
    "sample_rate": 16_000,
    "num_channels": 1,
    "num_mel_bins": 80,
    "frame_length": 25.0,
    "frame_shift": 10.0,
    "round_to_power_of_two": True,
    "snip_edges": True,
    "dither": 0.0,
    "window_type": "hamming",
    "use_energy": False,
    "fbank_centering_span": None,
}
#: Weights that only training needs.
_OF_TRAINING: Final = ("loss_func.", "validation_metric.", "task.")

#: `Problem` in pyannote/audio/core/task.py.
_MONO_LABEL, _MULTI_LABEL = 1, 2
_MOST_SPEAKERS: Final = 16
_MOST_SECONDS: Final = 60


@dataclass(frozen=True, slots=True)
class Segments:
    """What a segmentation was trained for: `speakers` in a window of `seconds`, `at_once` of them in a powerset class, None: multilabel."""

    speakers: int
    at_once: int | None
    seconds: float


@dataclass(frozen=True, slots=True)
class PyannoteCheckpoint:
    """A checkpoint that can be exported. `segments` is None for an embedding; `version` is of pyannote.audio, as the file has it."""

    architecture: str
    arguments: Mapping[str, Any]
    weights: Mapping[str, NDArray[Any]]
    segments: Segments | None
    sha256: str
    version: str

    @property
    def engine(self) -> EngineName:
        """What runs the exported network."""
        return ENGINES[self.architecture]

    @property
    def kind(self) -> Literal["embedding", "segmentation"]:
        """What the network is for."""
        return "embedding" if self.segments is None else "segmentation"


def read(path: Path) -> PyannoteCheckpoint:
    """The checkpoint in a file. Raises ModelError when it is none, does more than describe a network, or is of a kind Trax cannot use."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ModelError(f"The checkpoint cannot be read: {error.strerror}.", file=str(path), advice="Check the path.") from error
    try:
        return _judged(data)
    except ModelError as error:
        advice = "Nothing in the file was run. Take a checkpoint as pyannote.audio saves it, from whom you trust."
        raise ModelError(error.what, file=str(path), advice=advice) from error


def _judged(data: bytes) -> PyannoteCheckpoint:
    checkpoint = read_checkpoint(data)
    of_pyannote, arguments = checkpoint.entries.get(_ENTRY), checkpoint.entries.get(_ARGUMENTS)
    if not isinstance(of_pyannote, dict) or not isinstance(arguments, dict):
        raise ModelError("The file is no checkpoint of pyannote.audio: it does not say which of its networks it holds.")
    architecture = _architecture(of_pyannote.get("architecture"))
    plain = {str(name): value for name, value in arguments.items() if _is_plain(value)}
    for name, value in _HEARD.items():
        if name in plain and plain[name] != value:
            raise ModelError(f"The network hears with {name} = {plain[name]!r}, and Trax computes what it is given with {value!r}.")
    weights = {name: array for name, array in checkpoint.state.items() if not name.startswith(_OF_TRAINING)}
    for name, array in weights.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ModelError(f"The weights in {name} are not all finite numbers.")
    versions = of_pyannote.get("versions")
    return PyannoteCheckpoint(
        architecture=architecture,
        arguments=plain,
        weights=weights,
        segments=_segments(of_pyannote.get("specifications")) if ENGINES[architecture] == "pyannet" else None,
        sha256=hashlib.sha256(data).hexdigest(),
        version=str(versions.get(_ENTRY, "unknown")) if isinstance(versions, dict) else "unknown",
    )


def _architecture(told: object) -> str:
    module, name = (str(told.get("module")), str(told.get("class"))) if isinstance(told, dict) else ("", "")
    if not module.startswith(_OF_PYANNOTE) or name not in ENGINES:
        raise ModelError(f"The checkpoint is of {module}.{name}. What can be exported: {', '.join(ENGINES)} of pyannote.audio.")
    return name


def _segments(told: object) -> Segments:
    """What pyannote's `Specifications` say, which stand here as `Described`."""
    if not isinstance(told, Described) or not told.kind.endswith(".Specifications"):
        raise ModelError("The checkpoint does not say what its segmentation was trained for.")
    classes, at_once, seconds, problem = (
        told.attributes.get(name) for name in ("classes", "powerset_max_classes", "duration", "problem")
    )
    number = problem.arguments[0] if isinstance(problem, Described) and problem.arguments else None
    if number != (_MULTI_LABEL if at_once is None else _MONO_LABEL) or not told.attributes.get("permutation_invariant"):
        raise ModelError("The segmentation was not trained to tell speakers apart (as by pyannote's task SpeakerDiarization).")
    if not isinstance(classes, list | tuple) or not 0 < len(classes) <= _MOST_SPEAKERS:
        raise ModelError("The segmentation does not say how many speakers it tells apart.")
    if not isinstance(seconds, int | float) or not 0 < seconds <= _MOST_SECONDS:
        raise ModelError(f"The segmentation was trained on windows of {seconds} s.")
    if at_once is not None and (type(at_once) is not int or not 0 < at_once <= len(classes)):
        raise ModelError(f"The segmentation cannot hear {at_once} of {len(classes)} speakers at once.")
    return Segments(len(classes), at_once, float(seconds))


def _is_plain(value: object) -> bool:
    if isinstance(value, dict):
        return all(isinstance(name, str) and _is_plain(each) for name, each in value.items())
    if isinstance(value, list | tuple):
        return all(_is_plain(each) for each in value)
    return value is None or isinstance(value, bool | int | float | str)
