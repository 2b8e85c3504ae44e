"""From a model's description to the engine that runs it."""

from __future__ import annotations

from pathlib import Path

from trax.asr.engine import Engine
from trax.errors import ModelError
from trax.models.model import Model


def load_engine(model: Model) -> Engine:
    """Load a model into its engine. Raises ModelError when it is not for speech recognition, missing or damaged."""
    if model.path is not None and not Path(model.path).exists():  # removed since the job was planned
        what, advice = f"The model {model.name} is no longer there.", "`trax-ctl retry` the job: it then takes a model that is."
        raise ModelError(what, file=model.path, advice=advice)
    if model.engine == "pocketsphinx":
        from trax.asr.pocketsphinx import PocketSphinx

        return PocketSphinx()
    if model.engine == "whisper":
        from trax.asr.whisper import Whisper

        return Whisper(model)
    raise ModelError(f"The model {model.name!r} ({model.engine}) does not turn speech into words.")
