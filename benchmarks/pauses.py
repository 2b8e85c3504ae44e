"""Where an utterance is speech and where it pauses, by its level alone.

References by utterance count pauses as speech, which charges a diarizer with misses for silence. The rule here is made of
textbook parts (pre-emphasis, short-time energy, a level relative to the utterance: Rabiner and Sambur 1975) and shares nothing with
the voice activity detector of Trax, so that one does not mark the other's homework:

1. pre-emphasis y[n] = x[n] - 0.97 x[n-1], which takes hum and rumble out of the level;
2. the level in dB of frames of 30 ms, every 10 ms;
3. a frame is loud when it is above both (the utterance's 95th percentile - 30 dB) and (its 5th percentile + 6 dB): the first is the
   speech, the second the noise of the room;
4. loud stretches under 60 ms are clicks and do not count;
5. a quiet stretch of up to 0.3 s between two loud ones is speech (stops, short breaths); a longer one is a pause. What is before the
   first and after the last loud stretch is never speech.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from speech_data import SAMPLE_RATE, Samples

from trax.transcript import Span

_FRAME_S = 0.03
_HOP_S = 0.01
_PRE_EMPHASIS = 0.97
_BELOW_SPEECH_DB = 30.0
_ABOVE_NOISE_DB = 6.0
_MIN_LOUD_S = 0.06
LONGEST_GAP_S = 0.3


def levels(samples: Samples) -> NDArray[np.float64]:
    """The level of each frame in dB of full scale, after pre-emphasis; shape (frames,), empty when shorter than one frame."""
    signal = samples.astype(np.float64) / 32768
    signal[1:] -= _PRE_EMPHASIS * signal[:-1]
    frame, hop = round(_FRAME_S * SAMPLE_RATE), round(_HOP_S * SAMPLE_RATE)
    if len(signal) < frame:
        return np.empty(0)
    frames = np.lib.stride_tricks.sliding_window_view(signal, frame)[::hop]
    return np.asarray(10 * np.log10(np.mean(frames**2, axis=1) + 1e-10))


def _stretches(loud: NDArray[np.bool_]) -> list[Span]:
    """The runs of loud frames, each frame standing for the hop at its centre."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], loud.astype(np.int8), [0]))))
    offset = (_FRAME_S - _HOP_S) / 2
    return [Span(first * _HOP_S + offset, last * _HOP_S + offset) for first, last in zip(edges[::2], edges[1::2], strict=True)]


def find_speech(samples: Samples) -> tuple[Span, ...]:
    """The stretches of speech of one utterance, in seconds from its start, by the rule above; none when it is all silence."""
    level = levels(samples)
    if not level.size:
        return ()
    threshold = max(np.percentile(level, 95) - _BELOW_SPEECH_DB, np.percentile(level, 5) + _ABOVE_NOISE_DB)
    loud = [stretch for stretch in _stretches(level > threshold) if stretch.duration >= _MIN_LOUD_S - 1e-9]
    if not loud:
        return ()
    pauses = [(left.end, right.start) for left, right in pairwise(loud) if right.start - left.end > LONGEST_GAP_S + 1e-9]
    starts = [loud[0].start, *(end for _, end in pauses)]
    ends = [*(start for start, _ in pauses), loud[-1].end]
    return tuple(Span(round(start, 3), round(end, 3)) for start, end in zip(starts, ends, strict=True))
