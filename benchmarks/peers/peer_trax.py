"""Trax as its workers run it, on the file of a digits model: the decode child, voice activity, windows, whisper.cpp, words.

It runs in Trax's own environment; `--engine FOLDER` takes the whisper.cpp that was built for this machine, from there. The peak is that
of the lane worker's work; the decode child has ended when that begins.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from peers.peer import Hear, arguments, measure

_GIB = 1 << 30


def load(model: Path, threads: int, engine: Path | None) -> Hear:
    """The lane worker with both models loaded. Raises RuntimeError when the whisper.cpp in `engine` may not be used."""
    from trax.asr.native import chosen
    from trax.config import job_settings
    from trax.models.catalogue import catalogue
    from trax.models.model import Model
    from trax.worker.cache import Cache
    from trax.worker.loading import load as load_model
    from trax.worker.tasks import Task, Worker

    choice = chosen(engine) if engine else None
    if choice and choice.library.path is None:
        raise RuntimeError(choice.refusal or "no whisper.cpp was built for this machine: trax-ctl engine build")
    library = choice.library.to_plain() if choice else {}

    def entry(name: str, kind: str, engine: str, path: str | None) -> Model:
        plain = {"name": name, "kind": kind, "engine": engine, "path": path, "sha256": None, "version": "", "scope": "open"}
        size = Path(path).stat().st_size if path else 0
        settings = catalogue()[name].settings
        told = {"languages": ["en"], "licence": "", "source": "", "size": size, "settings": settings, "library": library}
        return Model.from_plain({**plain, **told})

    cache = Cache(lambda each: load_model(each, threads), 8 * _GIB, lambda _: None)
    models = {"asr": entry("digits", "asr", "whisper", str(model)), "vad": entry("silero-vad", "vad", "silero", None)}
    for each in models.values():
        with cache.using(each):
            pass
    worker, settings = Worker(cache, threads), job_settings({})

    def hear(recording: Path) -> str:
        with tempfile.TemporaryDirectory(prefix="trax-speed-") as folder:
            work = Path(folder)
            decode(recording, work / "pcm.raw")
            for kind, output in (("vad", "vad.json"), ("transcribe", "fast.json")):
                inputs = {"pcm": "pcm.raw", "vad": "vad.json"}
                worker.perform(Task(kind, "", work, inputs, output, settings, models, work), lambda _: None, lambda: False)
            heard = json.loads((work / "fast.json").read_bytes())
        return " ".join(word[0] for segment in heard["segments"] for word in segment["words"])

    return hear


def decode(recording: Path, target: Path) -> None:
    """The decode child, as the daemon starts it."""
    with recording.open("rb") as source, target.open("wb") as pcm:
        limits = (f"--memory-bytes={2 * _GIB}", "--cpu-seconds=600", f"--output-bytes={4 * _GIB}")
        command = [sys.executable, "-I", "-m", "trax.worker.decode", f"--output-fd={pcm.fileno()}", f"--extension={recording.suffix}"]
        subprocess.run([*command, *limits], stdin=source, stdout=subprocess.DEVNULL, pass_fds=(pcm.fileno(),), check=True)


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--engine", type=Path)
    asked = parser.parse_args()
    measure(asked.recording, lambda: load(asked.model, asked.threads, asked.engine))
