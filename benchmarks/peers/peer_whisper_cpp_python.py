"""whisper-cpp-python, the whisper.cpp of summer 2023; it has no voice activity detection."""

from __future__ import annotations

from pathlib import Path

from peers.peer import Hear, arguments, measure


def load(model: Path, threads: int) -> Hear:
    """Greedy; its default temperature is 0.8."""
    from whisper_cpp_python import Whisper

    whisper = Whisper(str(model), n_threads=threads)
    whisper.params.temperature_inc = 0.0

    def hear(recording: Path) -> str:
        with recording.open("rb") as file:
            return str(whisper.transcribe(file, language="en", temperature=0.0)["text"])

    return hear


if __name__ == "__main__":
    asked = arguments(__doc__).parse_args()
    measure(asked.recording, lambda: load(asked.model, asked.threads))
