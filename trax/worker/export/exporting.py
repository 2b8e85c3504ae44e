"""`trax-ctl models export`: a checkpoint is read, rebuilt, exported, checked against the original on real speech, and installed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trax import files
from trax.audio.pcm import SAMPLE_RATE, Pcm
from trax.diarize.embed import Encoder
from trax.errors import ModelError
from trax.models.adding import slug, valid
from trax.models.download import Display
from trax.models.installing import FILE, put, room_for_one
from trax.models.model import ANY_LANGUAGE, OPEN, Model
from trax.models.network import Network
from trax.transcript import Span
from trax.worker.export import libraries
from trax.worker.export.check import Agreement, agreement, check, pieces, read_speech
from trax.worker.export.checkpoint import PyannoteCheckpoint, read
from trax.worker.export.int8 import in_int8
from trax.worker.export.original import Original

#: The cosine distance up to which two clusters are one voice, for a model that nobody calibrated: what pyannote's pipeline with
#: WeSpeaker's embeddings was tuned to (0.7046 in pyannote/speaker-diarization-3.1), though that one links clusters by their centroids.
THRESHOLD: Final = 0.7

_FRONT_ENDS: Final = {"wespeaker": "kaldi-fbank", "xvector": "waveform", "pyannet": "waveform"}
#: What files are called that say nothing of what is in them.
_NAMELESS: Final = frozenset({"pytorch_model", "model", "checkpoint", "last", "best"})
#: The cosine distance of opposite vectors.
_OPPOSITE: Final = 2.0
_SPEECH: Final = "speech.raw"


@dataclass(frozen=True, slots=True)
class Request:
    """What to export, and what to say of it on its card; `source` is where the checkpoint came from. None: as it comes."""

    file: Path
    source: str
    name: str | None = None
    licence: str | None = None
    threshold: float | None = None
    is_int8: bool = False


@dataclass(frozen=True, slots=True)
class Exported:
    """A model as installed, and how near its network is to the original."""

    model: Model
    found: Agreement


def export(request: Request, state_models: Path, display: Display) -> Exported:
    """Install what a pyannote.audio checkpoint becomes in ONNX under `state_models`.

    Raises:
        ModelError: the extra is not installed; or the file is no checkpoint that can be exported, or a hostile one; or what was made does
            not do what the original does; or the name is taken.
        StorageError: the folder cannot be written (DiskFull: for lack of room).
    """
    if request.threshold is not None and not 0.0 < request.threshold < _OPPOSITE:
        raise ModelError(f"A threshold cannot be {request.threshold:g}.", advice="Take a cosine distance above 0 and below 2.")
    checkpoint = read(request.file)
    libraries.check_installed()
    display.note(f"{checkpoint.architecture}, saved by pyannote.audio {checkpoint.version}; torch is loaded.")
    original = Original(checkpoint)
    speech = read_speech(libraries.pyannote().speech)
    inputs = [original.front_end(piece) for piece in pieces(speech)]
    network = original.to_onnx(inputs[0])
    with room_for_one(state_models) as folder:
        made = folder / FILE
        files.write_bytes(made, in_int8(network) if request.is_int8 else network)
        model = _model(request, checkpoint, original, made)
        runnable = Model.from_plain({**model.to_plain(), "path": str(made)})
        found = agreement(original, Network(runnable, 1), iter(inputs))
        check(found, is_int8=request.is_int8)
        if checkpoint.kind == "embedding":
            _check_from_sound(original, runnable, speech, folder / _SPEECH)
        display.note(f"On real speech it is at most {found.difference:.1e} from the original; cosine {found.cosine:.6f} or more.")
        return Exported(put(model, folder), found)


def _check_from_sound(original: Original, model: Model, speech: NDArray[np.float32], raw: Path) -> None:
    """Whether a voice is heard alike all the way, from sound to embedding: Trax's front end stands where pyannote's was."""
    files.write_bytes(raw, np.rint(speech * (1 << 15)).astype("<i2").tobytes())
    encode = Encoder(model, 1)
    with Pcm(raw) as pcm:
        front_end = encode.front_end(pcm)
        spans = [Span(start, start + 1.6) for start in (2.0, 11.0, 25.0)]
        found = encode(np.stack([front_end.of([span]) for span in spans]))
    files.remove(raw)
    sound = np.stack([speech[round(span.start * SAMPLE_RATE) : round(span.end * SAMPLE_RATE)] for span in spans])
    expected = original(original.front_end(sound))
    cosines = (expected * found).sum(axis=1) / np.linalg.norm(expected, axis=1)
    check(Agreement(0.0, float(cosines.min())), is_int8=True)


def _model(request: Request, checkpoint: PyannoteCheckpoint, original: Original, made: Path) -> Model:
    """The card: what it is, what it came from and how it is to be used. The path is that of the file in its folder."""
    sha256 = files.sha256_of(made)
    return Model(
        name=_name(request, checkpoint),
        kind=checkpoint.kind,
        engine=checkpoint.engine,
        path=FILE,
        sha256=sha256,
        version=f"{checkpoint.architecture} {checkpoint.sha256[:12]}",
        scope=OPEN,
        languages=(ANY_LANGUAGE,),
        licence=request.licence or "unknown",
        source=request.source,
        size=made.stat().st_size,
        settings=_settings(request, checkpoint, original),
        pulled={"from": request.source, "files": {request.file.name: checkpoint.sha256}, "pinned": []},
    )


def _settings(request: Request, checkpoint: PyannoteCheckpoint, original: Original) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "architecture": checkpoint.architecture,
        "weights": "int8" if request.is_int8 else "f32",
        "parameters": sum(array.size for array in checkpoint.weights.values()),
        "sample_rate": SAMPLE_RATE,
        "front_end": _FRONT_ENDS[checkpoint.engine],
    }
    if (segments := checkpoint.segments) is None:
        threshold = THRESHOLD if request.threshold is None else request.threshold
        return {**settings, "dimension": int(original.model.dimension), "threshold": threshold}
    step, duration = original.frames()
    windows = {"speakers": segments.speakers, "at_once": segments.at_once, "window_seconds": segments.seconds}
    return {**settings, **windows, "frame_step": step, "frame_duration": duration}


def _name(request: Request, checkpoint: PyannoteCheckpoint) -> str:
    """The name that was given; else one made of that on the hub, or of the file's, or of the network's where that says nothing."""
    if request.name is not None:
        return valid("name", request.name)
    of_hub = re.fullmatch(r"https?://.+/([\w.-]+)/resolve/.+", request.source)
    told = of_hub[1] if of_hub else request.file.stem
    made = slug(checkpoint.architecture if told.lower() in _NAMELESS else told)
    return f"{made}-int8" if request.is_int8 else made
