"""The second pass: a better model hears again what the first left in doubt, and nothing else.

The engine is given the voices of all spans at once, so that it packs them into full windows: a window costs Whisper about the same however
little is in it. On noisy conversations of digits the words came out as well as from a window for every span, at a third of the cost.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from trax.asr.doubt import doubtful_spans
from trax.asr.engine import Engine, Options
from trax.asr.revision import revised
from trax.asr.spans import intersection
from trax.audio.pcm import Pcm
from trax.transcript import Recognition, Span


def refine(
    fast: Recognition,
    engine: Engine,
    pcm: Pcm,
    speech: Sequence[Span],
    options: Options,
    threshold: float,
    on_progress: Callable[[float], None],
    is_cancelled: Callable[[], bool],
) -> Recognition:
    """`fast` with what `engine` hears better (see `trax.asr.revision`) where it is in doubt (see `trax.asr.doubt`).

    `speech` is where voice activity found voices (in order, apart); words whose score is below `threshold` are in doubt; the language is
    that of `fast`, whatever the options say. `on_progress` is given fractions of what is heard again, 0 to 1.

    Raises:
        Cancelled: `is_cancelled` turned true.
        ModelError: The model cannot do what is asked, such as speak the language of `fast`.
    """
    doubts = doubtful_spans(fast, speech, pcm.duration, threshold)
    voices = tuple(intersection([doubt.span for doubt in doubts], speech))
    heard = engine.transcribe(pcm, voices, replace(options, language=fast.language), on_progress, is_cancelled)
    return revised(fast, doubts, heard, speech, is_calibrated=engine.is_calibrated)
