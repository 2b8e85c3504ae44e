"""From a model's description to what runs it. The libraries are only imported for the engines that need them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trax.models.model import Model

if TYPE_CHECKING:
    from trax.asr.engine import Engine
    from trax.audio.silero import Silero
    from trax.diarize.embed import Encoder
    from trax.diarize.segment import Segmenter


def load(model: Model, threads: int) -> Engine | Encoder | Segmenter | Silero:
    """Load a model; `threads` bounds the cores of an engine that must know when it is loaded. Raises ModelError when it cannot be loaded.

    Its memory is free again when nothing refers to the result any more.
    """
    match model.kind:
        case "vad":
            from trax.audio.silero import Silero
            from trax.models.silero import weights

            return Silero(weights(model.name))
        case "embedding":
            from trax.diarize.embed import Encoder

            return Encoder(model, threads)
        case "segmentation":
            from trax.diarize.segment import Segmenter

            return Segmenter(model, threads)
        case "asr":
            from trax.asr.load import load_engine

            return load_engine(model)
