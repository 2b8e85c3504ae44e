"""What eight bits cost the digits models: the same beds as for two passes, by each model as it ships and in 16 bits.

What ships is rounded already, so the 16 bits have to come from where the model was made (`training.digits.export --kind f16`): F16 names
the folder that holds `ggml-digits-f16.bin` and `ggml-digits-fast-f16.bin`; without it the goal is skipped. Of the same weights as what
ships they must be: this is checked. 20 windows a bed, QUICK=1 2.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from digit_beds import Recording, beds, decoded, words_in
from digits import MODELS, load
from goals import report, report_failure
from machine import this_machine
from scoring import WordErrors
from speech_data import REPOSITORY, is_quick, require_data
from timed_alignment import aligned, errors

from trax.asr.engine import Options
from trax.audio.silero import Silero
from trax.audio.vad import find_speech
from trax.models.ggml.file import read
from trax.models.ggml.quantize import quantized
from trax.models.silero import weights

_WINDOWS, _QUICK_WINDOWS = 20, 2


def word_errors(file: Path, recordings: Iterable[Recording]) -> WordErrors:
    """What a model file gets wrong in the speech of these recordings."""
    engine, silero, found = load(file), Silero(weights()), WordErrors()
    for recording in recordings:
        with decoded(recording) as pcm:
            speech = find_speech(pcm, silero, lambda _: None)
            heard = engine.transcribe(pcm, speech, Options("en", threads=2), lambda _: None, lambda: False)
        found += errors(aligned(recording.said, words_in(heard)))
    return found


def is_of_the_same_weights(exact: Path, rounded: Path) -> bool:
    """Whether a model in 16 bits, rounded to eight, is the other."""
    ours, theirs = quantized(read(exact), "q8_0"), read(rounded)
    return ours.header == theirs.header and all(
        np.array_equal(ours.tensors[name].data, theirs.tensors[name].data) for name in theirs.tensors
    )


def main() -> int:
    """Measure, print the figures and the goal; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--windows", type=int, default=_QUICK_WINDOWS if is_quick() else _WINDOWS, help="a bed, 30 s each")
    asked = parser.parse_args()
    if not os.environ.get("F16"):
        return report("quantization", {}, {"quantization_cost": "F16 names no folder with the models in 16 bits"})
    costs = []
    recordings = [recording for bed in beds(require_data(), asked.windows).values() for recording in bed]
    print(f"machine: {this_machine()}")
    for name, shipped in MODELS.items():
        rounded, exact = REPOSITORY / "models" / shipped, Path(os.environ["F16"]) / shipped.replace("q8_0", "f16")
        if not is_of_the_same_weights(exact, rounded):
            return report_failure("quantization", f"{exact} is not what {rounded} was made from.")
        rates = [100 * word_errors(file, recordings).rate for file in (exact, rounded)]
        print(f"{name}: WER {rates[0]:.2f} % in 16 bits, {rates[1]:.2f} % in 8", flush=True)
        costs.append(rates[1] - rates[0])
    return report("quantization", {"quantization_cost": max(costs)})


if __name__ == "__main__":
    raise SystemExit(main())
