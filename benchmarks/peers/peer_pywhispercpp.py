"""pywhispercpp: as it comes, or at its best: `--vad FILE` turns on whisper.cpp's own voice activity detection, with Silero's ggml file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from peers.peer import Hear, arguments, measure


def load(model: Path, threads: int, vad: Path | None) -> Hear:
    """Greedy is its default."""
    from pywhispercpp.model import Model

    extras: dict[str, Any] = {"vad": True, "vad_model_path": str(vad)} if vad else {}
    whisper = Model(str(model), n_threads=threads, language="en", temperature_inc=0.0, print_progress=False, print_realtime=False, **extras)

    def hear(recording: Path) -> str:
        return " ".join(str(segment.text) for segment in whisper.transcribe(str(recording)))

    return hear


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--vad", type=Path)
    asked = parser.parse_args()
    measure(asked.recording, lambda: load(asked.model, asked.threads, asked.vad))
