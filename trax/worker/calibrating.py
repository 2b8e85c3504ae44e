"""A speaker embedding's threshold from a folder of recordings with their references: what `trax-ctl models calibrate` runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import FileIO
from pathlib import Path
from typing import Any

from trax import files
from trax.audio.decode import decode
from trax.audio.pcm import SAMPLE_BYTES, SAMPLE_RATE, Pcm
from trax.audio.silero import Silero
from trax.audio.vad import find_speech
from trax.config import KNOWN_FORMATS
from trax.diarize.calibrate import Calibration, Labelled, calibrate, read_rttm
from trax.diarize.embed import Encoder, embed
from trax.errors import ModelError
from trax.models.model import Model
from trax.models.silero import weights
from trax.models.store import CARD, installed, read_card

_MOST_BYTES = 12 * 3600 * SAMPLE_RATE * SAMPLE_BYTES  # twelve hours


def calibrate_model(name: str, folder: Path, state_models: Path, threads: int, tell: Callable[[str], None]) -> dict[str, Any]:
    """The threshold of the embedding `name` by the recordings of `folder`, each with a `.rttm` of its name; a pulled model's card keeps it.

    Raises ModelError when there is no such embedding, or nothing to learn from.
    """
    model = next((model for model in installed(state_models) if model.name == name), None)
    if model is None or model.kind != "embedding":
        raise ModelError(f"{name} is no installed model of voices.", advice="`trax-ctl models list` shows those there are.")
    pairs = [(path, reference) for path in sorted(folder.iterdir()) if (reference := path.with_suffix(".rttm")).is_file()]
    pairs = [pair for pair in pairs if pair[0].suffix.lower() in KNOWN_FORMATS]
    if not pairs:
        raise ModelError("There is no recording with a .rttm file of its name beside it.", file=str(folder))
    silero, encode = Silero(weights()), Encoder(model, threads)
    recordings = list[Labelled]()
    for path, reference in pairs:
        recordings.append(_labelled(path, reference, state_models, silero, encode))
        tell(f"{path.name}: {len(recordings[-1].embeddings.windows)} windows")
    found = calibrate(recordings)
    is_kept = _keep(model, state_models, found)
    confusion = {str(threshold): part for threshold, part in found.confusion.items()}
    return {"model": name, "threshold": found.threshold, "recordings": len(pairs), "confusion": confusion, "kept": is_kept}


def _labelled(path: Path, reference: Path, state_models: Path, silero: Silero, encode: Encoder) -> Labelled:
    turns = read_rttm(reference)
    files.make_folder(state_models)
    with files.temporary_beside(state_models / "calibrating.pcm") as made:
        try:
            with FileIO(str(path), "rb") as source, made.open("wb") as sink:
                decode(source, sink.fileno(), path.suffix.lower(), _MOST_BYTES, lambda _: None)
            with Pcm(made) as pcm:
                speech = find_speech(pcm, silero, lambda _: None)
                return Labelled(speech, embed(pcm, speech, encode, lambda _: None, lambda: False), turns)
        finally:
            files.remove(made)


def _keep(model: Model, state_models: Path, found: Calibration) -> bool:
    """Write the threshold to the card of a model that was pulled or added; what came with Trax stays as it is."""
    folder = state_models / model.name
    if not (folder / CARD).is_file():
        return False
    card = read_card(folder)
    plain = {**card.to_plain(), "path": Path(card.path or "").name, "settings": {**card.settings, "threshold": found.threshold}}
    files.write_bytes(folder / CARD, (json.dumps(plain, indent=2, ensure_ascii=False) + "\n").encode())
    return True
