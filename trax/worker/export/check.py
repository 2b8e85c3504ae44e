"""Whether an exported network does what the original does, on real speech: looked at before it is installed."""

from __future__ import annotations

import wave
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trax.errors import ModelError

#: The largest difference of any number that the network makes in float32, and the least likeness (cosine) of what it makes in eight bits.
TOLERANCE: Final = 1e-4
LIKENESS: Final = 0.999

_RATE: Final = 16_000
#: Lengths (seconds) and numbers of pieces at once; other than those the network was followed with, so that both are seen to be free.
_PIECES: Final = ((1.6, 3), (2.47, 1), (5.0, 2), (10.0, 1))

_Network = Callable[[NDArray[np.float32]], NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Agreement:
    """How near two networks are: the largest difference, and the least cosine of a vector of one with that of the other."""

    difference: float
    cosine: float


def read_speech(file: Path) -> NDArray[np.float32]:
    """The samples of a WAV file of 16 kHz, 16 bits, mono: the recording of two people that comes with pyannote.audio."""
    try:
        with wave.open(str(file), "rb") as opened:
            form = opened.getframerate(), opened.getsampwidth(), opened.getnchannels()
            data = opened.readframes(opened.getnframes())
    except (OSError, EOFError, wave.Error) as error:
        raise ModelError(f"The speech to check the model with cannot be read: {error}.", file=str(file)) from error
    if form != (_RATE, 2, 1) or len(data) < 2 * _RATE * 20:
        raise ModelError("The speech to check the model with is not 20 s or more of 16 kHz, 16 bits, mono.", file=str(file))
    return np.frombuffer(data, "<i2").astype(np.float32) / np.float32(1 << 15)


def pieces(speech: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    """Batches of pieces of the speech: (b, samples)."""
    for seconds, count in _PIECES:
        samples = round(seconds * _RATE)
        starts = np.linspace(_RATE, speech.size - samples, count).astype(int)
        yield np.stack([speech[start : start + samples] for start in starts])


def agreement(original: _Network, exported: _Network, inputs: Iterator[NDArray[np.float32]]) -> Agreement:
    """How near the two are over all inputs. Raises ModelError when they do not even make the same number of numbers."""
    difference, cosine = 0.0, 1.0
    for given in inputs:
        expected, found = original(given), exported(given)
        if expected.shape != found.shape or not np.isfinite(found).all():
            raise ModelError(f"The exported network makes {found.shape} of {given.shape}, and the original {expected.shape}.")
        difference = max(difference, float(np.abs(expected - found).max()))
        lengths = np.linalg.norm(expected, axis=-1) * np.linalg.norm(found, axis=-1)
        cosine = min(cosine, float(((expected * found).sum(axis=-1) / np.maximum(lengths, 1e-12)).min()))
    return Agreement(difference, cosine)


def check(found: Agreement, *, is_int8: bool) -> None:
    """Raise ModelError where the two are not near enough."""
    if is_int8 and not found.cosine >= LIKENESS:
        what = f"The network is too far from the original: the least cosine is {found.cosine:.5f}, and {LIKENESS} is asked for."
        raise ModelError(what, advice="Nothing was installed. If it was asked for in eight bits, export it without --int8.")
    if not is_int8 and not found.difference <= TOLERANCE:
        what = f"The exported network differs from the original by {found.difference:.1e} where at most {TOLERANCE:.0e} is right."
        raise ModelError(what, advice="Nothing was installed. Please report it, with the name of the checkpoint.")
