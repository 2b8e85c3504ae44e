"""Makes models/ge2e.reference.json: what the original GE2E encoder (torch, librosa, Resemblyzer's own code) says of the probe inputs.

Run once, from the root of the repository, in an environment of its own:

    pip install torch==2.13.0 librosa==0.10.2 numpy && pip download --no-deps resemblyzer==0.1.4
    unzip Resemblyzer-0.1.4-py3-none-any.whl -d original
    PYTHONPATH=.:original python training/ge2e_reference.py

Resemblyzer's `audio` module also imports webrtcvad, for its trimming of silences; Trax leaves that to its own voice activity, so a
stand-in without it is enough.
"""

import json
import sys
import types
from pathlib import Path

import numpy as np

sys.modules["webrtcvad"] = types.ModuleType("webrtcvad")
morphology = types.ModuleType("scipy.ndimage.morphology")
morphology.binary_dilation = None
sys.modules["scipy.ndimage.morphology"] = morphology

import torch  # noqa: E402 - after the stand-ins
from resemblyzer import VoiceEncoder, audio, normalize_volume  # noqa: E402 - after the stand-ins

from trax.models.probe import probe_mel, probe_signal  # noqa: E402 - after the stand-ins


def main() -> None:
    """Compute the reference and write it."""
    encoder = VoiceEncoder("cpu", verbose=False)
    signal = normalize_volume(probe_signal(), -30, increase_only=True)
    quiet = normalize_volume(probe_signal() / 50, -30, increase_only=True)
    mel = audio.wav_to_mel_spectrogram(signal)
    with torch.no_grad():
        of_mel = encoder(torch.from_numpy(probe_mel()[None])).numpy()[0]
        of_signal = encoder(torch.from_numpy(mel[None, :160])).numpy()[0]
    frames = [0, 1, 2, 50, 117, len(mel) - 2, len(mel) - 1]
    reference = {
        "torch": torch.__version__,
        "probe_mel_embedding": rounded(of_mel),
        "probe_signal_embedding": rounded(of_signal),
        "probe_signal_frames": len(mel),
        "probe_signal_mel": {str(frame): rounded(mel[frame]) for frame in frames},
        "quiet_signal_mel": {"60": rounded(audio.wav_to_mel_spectrogram(quiet)[60])},
    }
    Path("models/ge2e.reference.json").write_text(json.dumps(reference, indent=1) + "\n")


def rounded(values: np.ndarray) -> list[float]:
    """As plain numbers with nine significant digits: all that a float32 has."""
    return [float(f"{value:.9g}") for value in values.tolist()]


if __name__ == "__main__":
    main()
