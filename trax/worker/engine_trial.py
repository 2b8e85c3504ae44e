"""One build of whisper.cpp tried in a process of its own: what it hears in the sample that comes with Trax, and how fast.

    python -m trax.worker.engine_trial [LIBRARY]

LIBRARY is a `trax.asr.library.Library` as JSON, the wheel's unless given. Prints one JSON document:

    {"heard": [[model, threads, [[text, start, end], …]], …], "seconds": of one window at the dimensions of `tiny.en`}

Each built-in digits model hears the sample with one thread and with two, and so does one of them at the dimensions of a real one, whose
matrices are large enough for every kernel that a build has. It gives up the same rights as a worker does. Whoever starts it judges
what it says, and how it ends: a build for the wrong processor, or by a faulty compiler, ends in a signal.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile  # noqa: TID251 - a model that is made, heard with and forgotten: nothing in it need outlast the command
import time
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from trax.asr.library import Library
from trax.asr.whisper_cpp import Decoding, WhisperCpp
from trax.audio.pcm import SAMPLE_RATE
from trax.models.catalogue import catalogue
from trax.models.ggml.file import read, write
from trax.models.ggml.widen import DIMENSIONS, widened
from trax.shipped import shipped
from trax.worker.protocol import die_with_parent
from trax.worker.sandbox import renounce

_SAMPLE = "demo/digits.ogg"
_MODELS = ("digits-fast", "digits")
_LARGE = "tiny.en"
_TIMES = 3

Heard = list[tuple[str, float, float]]


def main() -> None:
    """Hear, and print what was heard."""
    die_with_parent()
    renounce()
    library = Library.from_plain(json.loads(sys.argv[1]) if sys.argv[1:] else {})
    samples = _samples(shipped(_SAMPLE))
    heard: list[tuple[str, int, Heard]] = []
    with tempfile.TemporaryDirectory(prefix="trax-trial-") as folder:
        files = {name: shipped("models") / catalogue()[name].files[0].name for name in _MODELS}
        files[_LARGE] = Path(folder) / "large.bin"
        write(widened(read(files[_MODELS[-1]]), DIMENSIONS[_LARGE]), files[_LARGE])
        for name, file in files.items():
            model = WhisperCpp(str(file), library)
            heard += [(name, threads, _hear(model, samples, threads)) for threads in (1, 2)]
    cores = len(os.sched_getaffinity(0))
    seconds = min(_seconds(model, samples, cores) for _ in range(_TIMES))
    print(json.dumps({"heard": heard, "seconds": seconds}))  # noqa: T201 - what it is run for


def _samples(file: Path) -> NDArray[np.float32]:
    resampler = av.AudioResampler("s16", "mono", SAMPLE_RATE)
    with av.open(str(file)) as opened:
        parts = [part.to_ndarray()[0] for frame in opened.decode(audio=0) for part in resampler.resample(frame)]
    return np.concatenate(parts).astype(np.float32) / np.float32(32768)


def _hear(model: WhisperCpp, samples: NDArray[np.float32], threads: int) -> Heard:
    heard = model.hear(samples, Decoding("en", "", threads), lambda: False)
    return [(token.data.decode("utf-8", "replace"), token.start, token.end) for token in heard.tokens]


def _seconds(model: WhisperCpp, samples: NDArray[np.float32], threads: int) -> float:
    began = time.perf_counter()
    _hear(model, samples, threads)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
