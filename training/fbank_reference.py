"""Makes tests/diarize/fbank_reference.json: what pyannote.audio and torchaudio make of the probe signal as the input of WeSpeaker.

Run once, from the root of the repository, in the environment that `make export-test` sets up:

    PYTHONPATH=. .venv-export/bin/python training/fbank_reference.py
"""

import json
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch

from trax.models.probe import probe_signal
from trax.worker.export import libraries

FRAMES = [0, 1, 2, 50, 117, -2, -1]


def main() -> None:
    """Compute the reference and write it."""
    model = libraries.pyannote().networks["WeSpeakerResNet34"]()
    fbank = partial(model._fbank)  # noqa: SLF001 - the one call that holds torchaudio's function with all of its settings
    reference: dict[str, object] = {"torch": torch.__version__, "torchaudio": version("torchaudio")}
    for name, signal in {"probe": probe_signal(), "quiet": probe_signal() / 1000}.items():
        exact = torch.from_numpy(signal.astype(np.float64))[None]  # in float32 torchaudio itself is off by as much as we are
        frames = fbank(exact * (1 << 15))
        centred = model.compute_fbank(exact[None])[0]
        reference[name] = {
            "frames": len(frames),
            "fbank": {str(frame): rounded(frames[frame]) for frame in FRAMES},
            "centred": {str(frame): rounded(centred[frame]) for frame in FRAMES},
        }
    Path("tests/diarize/fbank_reference.json").write_text(json.dumps(reference, indent=1) + "\n")


def rounded(values: torch.Tensor) -> list[float]:
    """As plain numbers with six digits after the point."""
    return [round(value, 6) for value in values.tolist()]


if __name__ == "__main__":
    main()
