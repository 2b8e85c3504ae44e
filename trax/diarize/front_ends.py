"""What a speaker embedding is given of a recording: the mel frames of GE2E, the filter banks of WeSpeaker, or the sound itself.

Each front end reads a recording and turns spans of it into what its network takes, along time in the first axis. Spans lie on a grid of
10 ms, so that the frames of overlapping windows are computed once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from trax.audio.pcm import SAMPLE_RATE, Pcm
from trax.diarize import fbank, features
from trax.diarize.fbank import fbank_frames
from trax.diarize.features import gain, mel_frames
from trax.diarize.noise import without_noise
from trax.transcript import Span

_Array = NDArray[np.float32]

#: Samples and seconds between the beginnings of two frames, for every front end that has frames.
HOP: Final = 160
FRAME: Final = HOP / SAMPLE_RATE
#: Frames computed at once: ten seconds of them.
_BLOCK: Final = 1000


class FrontEnd(Protocol):
    """What turns spans of one recording into the input of a network."""

    def of(self, spans: Sequence[Span]) -> _Array:
        """What there is in these spans, one after the other, time in the first axis."""

    def size(self, seconds: float) -> int:
        """How much `of` gives for a span of that length."""


class Ge2eMel:
    """Mel powers as GE2E was trained on, quiet speech raised: (frames, 40)."""

    def __init__(self, pcm: Pcm) -> None:
        self._frames = _Frames(pcm, _mel_and_power, before=features.WINDOW // 2, window=features.WINDOW)

    def of(self, spans: Sequence[Span]) -> _Array:
        """See `FrontEnd`. A frame belongs to the span that its middle lies in."""
        frames = self._frames.between([(_frame(span.start), max(_frame(span.end), _frame(span.start) + 1)) for span in spans])
        factor = gain(float(np.sqrt(frames[:, -1].mean())))
        return np.asarray(frames[:, :-1] * np.float32(factor * factor))

    def size(self, seconds: float) -> int:
        """See `FrontEnd`."""
        return _frame(seconds)


class KaldiFbank:
    """Log mel filter banks less their mean, as WeSpeaker and pyannote.audio compute them: (frames, 80)."""

    def __init__(self, pcm: Pcm) -> None:
        self._frames = _Frames(pcm, fbank_frames, before=0, window=fbank.WINDOW)

    def of(self, spans: Sequence[Span]) -> _Array:
        """See `FrontEnd`. A frame belongs to the span that all of it lies in, the first one whatever the span's length."""
        firsts = [_frame(span.start) for span in spans]
        counts = [max(_whole(_frame(span.end) - first), 1) for span, first in zip(spans, firsts, strict=True)]
        return fbank.centred(self._frames.between([(first, first + count) for first, count in zip(firsts, counts, strict=True)]))

    def size(self, seconds: float) -> int:
        """See `FrontEnd`."""
        return _whole(_frame(seconds))


class Waveform:
    """The sound itself, full scale 1.0: (samples,)."""

    def __init__(self, pcm: Pcm) -> None:
        self._pcm = pcm

    def of(self, spans: Sequence[Span]) -> _Array:
        """See `FrontEnd`. Silence stands after the recording."""
        return np.concatenate([_samples(self._pcm, _frame(span.start) * HOP, _frame(span.end) * HOP) for span in spans])

    def size(self, seconds: float) -> int:
        """See `FrontEnd`."""
        return _frame(seconds) * HOP


#: By the engine of an embedding.
FRONT_ENDS: Final[Mapping[str, Callable[[Pcm], FrontEnd]]] = {"ge2e": Ge2eMel, "wespeaker": KaldiFbank, "xvector": Waveform}

#: What the networks of these engines take; None stands for any size.
AXES: Final[Mapping[str, tuple[int | None, ...]]] = {
    "ge2e": (None, None, features.BANDS),
    "wespeaker": (None, None, fbank.BANDS),
    "xvector": (None, None),
}


class _Frames:
    """Frames of a recording, computed in blocks of ten seconds of which the last two are kept: windows overlap and come in order.

    `compute` makes frames of samples, one every `HOP`, each of `window` samples, the first of a recording beginning `before` its start.
    """

    def __init__(self, pcm: Pcm, compute: Callable[[_Array], _Array], *, before: int, window: int) -> None:
        self._pcm = pcm
        self._compute = compute
        self._before = before
        self._window = window
        self._blocks: dict[int, _Array] = {}

    def between(self, pieces: Sequence[tuple[int, int]]) -> _Array:
        """The frames of each piece (the number of its first, and of the first after it), one after the other: (n, bands)."""
        return np.concatenate([self._piece(first, last) for first, last in pieces])

    def _piece(self, first: int, last: int) -> _Array:
        parts = [self._block(number) for number in range(first // _BLOCK, (last - 1) // _BLOCK + 1)]
        base = first // _BLOCK * _BLOCK
        return (parts[0] if len(parts) == 1 else np.concatenate(parts))[first - base : last - base]

    def _block(self, number: int) -> _Array:
        if number not in self._blocks:
            first = number * _BLOCK * HOP - self._before
            samples = _samples(self._pcm, first, first + (_BLOCK - 1) * HOP + self._window)
            self._blocks = {key: block for key, block in self._blocks.items() if key == number - 1}
            self._blocks[number] = self._compute(samples)
        return self._blocks[number]


def _mel_and_power(samples: _Array) -> _Array:
    """The mel frames less their noise, and in the last column the mean square of the sound that each frame advances over."""
    mel = mel_frames(samples)
    power = np.mean(samples[(features.WINDOW - HOP) // 2 :][: len(mel) * HOP].reshape(len(mel), HOP) ** 2, axis=1)
    return np.column_stack([without_noise(mel, power), power])


def _samples(pcm: Pcm, first: int, last: int) -> _Array:
    """The samples of a recording; silence stands before and after it."""
    samples = np.zeros(last - first, np.float32)
    inside = pcm.read_samples(first, last)
    samples[max(0, -first) : max(0, -first) + inside.size] = inside
    return samples


def _whole(hops: int) -> int:
    """How many frames of Kaldi's lie whole in so many hops."""
    return max(0, 1 + (hops * HOP - fbank.WINDOW) // HOP)


def _frame(seconds: float) -> int:
    return round(float(seconds) / FRAME)
