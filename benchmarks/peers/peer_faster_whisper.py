"""faster-whisper on weights converted to CTranslate2, int8, with its own voice activity filter; `--batch N` hears N windows at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from peers.peer import Hear, arguments, measure


def load(model: Path, threads: int, batch: int | None) -> Hear:
    """Greedy, without falling back to higher temperatures. The batched pipeline filters by voice activity unless told not to."""
    from faster_whisper import BatchedInferencePipeline, WhisperModel

    whisper = WhisperModel(str(model), device="cpu", compute_type="int8", cpu_threads=threads)
    pipeline: Any = BatchedInferencePipeline(whisper) if batch else whisper
    # the digits models were trained with time stamps only, which the batched pipeline leaves out unless asked for
    extras = {"batch_size": batch, "without_timestamps": False} if batch else {"condition_on_previous_text": False}

    def hear(recording: Path) -> str:
        segments, _ = pipeline.transcribe(str(recording), language="en", beam_size=1, temperature=0.0, vad_filter=True, **extras)
        return " ".join(segment.text for segment in segments)

    return hear


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--batch", type=int)
    asked = parser.parse_args()
    measure(asked.recording, lambda: load(asked.model, asked.threads, asked.batch))
