"""From a model's description to the engine that runs it."""

from __future__ import annotations

from trax.asr.engine import Engine
from trax.errors import ModelError
from trax.models.model import Model


def load_engine(model: Model) -> Engine:
    """Load a model into its engine. Raises ModelError when it is not for speech recognition, missing or damaged."""
    if model.engine == "pocketsphinx":
        from trax.asr.pocketsphinx import PocketSphinx

        return PocketSphinx()
    if model.engine == "whisper":
        from trax.asr.whisper import Whisper

        return Whisper(model)
    raise ModelError(f"The model {model.name!r} ({model.engine}) does not turn speech into words.")
