"""Ways to run whisper.cpp on one conversation with the same threads, side by side: what makes it faster, and what it costs in words.

`python benchmarks/speed_ways.py [--size tiny.en] [--minutes 5] [--rounds 3] [--threads 2] [--engine DIR]`. Every way is greedy, on the
model widened to that size; each is warm and takes its turn in every round. Windows are packed from the speech that Trax's voice activity
finds, unless said.
"""

from __future__ import annotations

import argparse
import math
import statistics
import tempfile
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jiwer
import numpy as np
from digit_recordings import CONVERSATION, Recording, write_recording
from machine import this_machine
from numpy.typing import NDArray
from speech_data import require_data
from speed import MODEL, WORD

from trax.asr.library import bindings, wheel
from trax.asr.native import chosen
from trax.asr.sound import quietest_in, samples_of
from trax.asr.windows import pack
from trax.audio.pcm import SAMPLE_RATE, Pcm
from trax.audio.silero import Silero
from trax.audio.vad import find_speech
from trax.models.ggml.file import read, write
from trax.models.ggml.widen import DIMENSIONS, widened
from trax.models.silero import weights
from trax.transcript import Span

_WAV_HEADER = 44  # bytes
_WINDOW = 30.0  # seconds
_CONTEXT_A_SECOND, _CONTEXT_MARGIN = 50, 200  # positions of the encoder; what the margin is for, trax.asr.whisper tells

Samples = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Way:
    """How to run it: windows of `longest` seconds (None: the recording as it is); so many contexts, which share the threads."""

    name: str
    longest: float | None = _WINDOW
    contexts: int = 1
    flash: bool = False
    fits_context: bool = False


WAYS = (
    Way("the whole recording, no voice activity", longest=None),
    Way("packed windows of 30 s"),
    Way("packed, flash attention", flash=True),
    Way("packed, a context for each thread", contexts=2),
    Way("packed, a context for each thread, flash attention", contexts=2, flash=True),
    Way("packed in 20 s, encoder context follows", longest=20.0, fits_context=True),
    Way("packed in 10 s, encoder context follows", longest=10.0, fits_context=True),
)


class Runner:
    """A way, ready: its contexts are loaded."""

    def __init__(self, way: Way, model: Path, threads: int, cpp: Any) -> None:  # noqa: ANN401 - a module without types
        self.way = way
        self._cpp = cpp
        options = cpp.whisper_context_default_params()
        options.use_gpu, options.flash_attn = False, way.flash
        self._contexts = [cpp.whisper_init_from_file_with_params(str(model), options) for _ in range(way.contexts)]
        self._threads = max(1, threads // way.contexts)

    def free(self) -> None:
        """Give the memory back; the bindings leave it to us."""
        for context in self._contexts:
            self._cpp.whisper_free(context)

    def hear(self, windows: Sequence[Samples]) -> str:
        """The text of all windows, in order; each context takes the next window when it has done one."""
        free = list(self._contexts)

        def one(window: Samples) -> str:
            context = free.pop()
            try:
                return self._one(context, window)
            finally:
                free.append(context)

        with ThreadPoolExecutor(len(self._contexts)) as pool:
            return " ".join(pool.map(one, windows))

    def _one(self, context: Any, window: Samples) -> str:  # noqa: ANN401 - an object of the bindings
        cpp = self._cpp
        params = cpp.whisper_full_default_params(cpp.whisper_sampling_strategy.WHISPER_SAMPLING_GREEDY)
        params.n_threads, params.language, params.temperature_inc = self._threads, "en", 0.0
        params.no_context, params.print_progress, params.print_timestamps = True, False, False
        if self.way.fits_context:
            params.audio_ctx = min(1500, math.ceil(len(window) / SAMPLE_RATE * _CONTEXT_A_SECOND) + _CONTEXT_MARGIN)
        cpp.whisper_full(context, params, window, len(window))
        count = cpp.whisper_full_n_segments(context)
        return " ".join(cpp.whisper_full_get_segment_text(context, number).decode() for number in range(count))


def windows_of(pcm: Pcm, speech: Sequence[Span], longest: float | None) -> list[Samples]:
    """What a way hears one after the other."""
    if longest is None:
        return [pcm.read(0.0, pcm.duration)]
    return [samples_of(pcm, window) for window in pack(speech, longest, quietest_in(pcm))]


def timed(runner: Runner, windows: Sequence[Samples]) -> tuple[float, float, str]:
    """Wall seconds, processor seconds, and the text."""
    wall, cpu = time.perf_counter(), time.process_time()
    text = runner.hear(windows)
    return time.perf_counter() - wall, time.process_time() - cpu, text


def measure(ways: Iterable[Way], model: Path, recording: Recording, rounds: int, threads: int, cpp: Any) -> None:  # noqa: ANN401 - as above
    """Print the table; finding speech, which all but the first way need, is a row of its own."""
    pcm_file = recording.file.with_suffix(".raw")
    pcm_file.write_bytes(recording.file.read_bytes()[_WAV_HEADER:])
    with Pcm(pcm_file) as pcm:
        silero, began = Silero(weights()), (time.perf_counter(), time.process_time())
        speech = find_speech(pcm, silero, lambda _: None)
        vad_s, vad_cpu = time.perf_counter() - began[0], time.process_time() - began[1]
        runners = [Runner(way, model, threads, cpp) for way in ways]
        taken: dict[str, list[tuple[float, float, str]]] = {runner.way.name: [] for runner in runners}
        for runner in runners:
            runner.hear([pcm.read(0.0, 5.0)])
        for _ in range(rounds):
            for runner in runners:
                windows = windows_of(pcm, speech, runner.way.longest)
                taken[runner.way.name].append(timed(runner, windows))
        for runner in runners:
            runner.free()
    print("| | seconds | CPU seconds | words right |\n|---|---:|---:|---:|")
    print(f"| finding speech | {vad_s:.1f} | {vad_cpu:.1f} | |")
    for name, runs in taken.items():
        compared = jiwer.process_words(" ".join(recording.words), " ".join(WORD.findall(runs[0][2].lower())))
        wall, cpu = (statistics.median(values) for values in list(zip(*runs, strict=True))[:2])
        print(f"| {name} | {wall:.1f} | {cpu:.1f} | {compared.hits} of {len(recording.words)}, WER {compared.wer:.1%} |")


def main() -> None:
    """Measure as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=DIMENSIONS, default="distil-small.en")
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--engine", type=Path, metavar="DIR", help="with the whisper.cpp of this machine in there, such as state/engine")
    asked = parser.parse_args()
    data = require_data()
    cpp = bindings(chosen(asked.engine).library if asked.engine else wheel())
    with tempfile.TemporaryDirectory(prefix="trax-ways-") as temporary:
        model = Path(temporary) / "model.bin"
        write(widened(read(MODEL), DIMENSIONS[asked.size]), model)
        recording = write_recording(data, "conversation", asked.minutes * 60, CONVERSATION, Path(temporary))
        print(f"machine: {this_machine()}; {asked.threads} threads, medians of {asked.rounds}")
        print(f"\n{asked.size}: conversation of {recording.seconds:.0f} s\n")
        measure(WAYS, model, recording, asked.rounds, asked.threads, cpp)


if __name__ == "__main__":
    main()
