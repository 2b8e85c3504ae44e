"""What every adapter does: load the model, hear a little to get warm, hear the recording; print what it took as one line of JSON.

`python -m peers.ADAPTER MODEL RECORDING --threads N [its own options]`. The recording is a WAV file, 16 kHz, mono, 16 bits. Nothing but
the standard library is needed here.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
import wave
from collections.abc import Callable
from pathlib import Path

#: Seconds that are heard before anything is timed: what a library allocates or looks up at its first pass is not speed.
_WARM_UP = 5

#: Hears a WAV file; returns the text.
Hear = Callable[[Path], str]


def arguments(about: str | None) -> argparse.ArgumentParser:
    """The command line that all adapters have."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("model", type=Path)
    parser.add_argument("recording", type=Path)
    parser.add_argument("--threads", type=int, required=True)
    return parser


def measure(recording: Path, load: Callable[[], Hear]) -> None:
    """Print how long loading took (imports included) and then hearing, the text, and this process's peak memory."""
    out = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # libraries print what they please
    began = time.perf_counter()
    hear = load()
    loaded = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="trax-speed-") as folder:
        hear(_beginning(recording, Path(folder) / "beginning.wav"))
    warm, cpu = time.perf_counter(), cpu_seconds()
    text = hear(recording)
    hear_s, cpu_s = time.perf_counter() - warm, cpu_seconds() - cpu
    answer = {"load_s": loaded - began, "hear_s": hear_s, "cpu_s": cpu_s, "text": text, "peak_mib": peak_mib()}
    with os.fdopen(out, "w", encoding="utf-8") as answers:
        answers.write(json.dumps(answer) + "\n")


def cpu_seconds() -> float:
    """Processor time of this process, all its threads, and the children that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def peak_mib() -> float:
    """The most memory that was resident in this process: the kernel's VmHWM, since `ru_maxrss` begins with the parent's."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines())
    return int(status["VmHWM"].split()[0]) / 1024


def _beginning(recording: Path, target: Path) -> Path:
    with wave.open(str(recording)) as source, wave.open(str(target), "wb") as beginning:
        beginning.setparams(source.getparams())
        beginning.writeframes(source.readframes(_WARM_UP * source.getframerate()))
    return target
