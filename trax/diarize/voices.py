"""Windows to voices: which windows found speakers, by which method, and what each speaker sounds like on average."""

from __future__ import annotations

import math
from typing import Any, Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from trax.diarize.changes import find_changes, of_one_voice
from trax.diarize.cluster import cluster, condense, number_in_order
from trax.diarize.embed import Embeddings
from trax.diarize.spectral import spectral

#: How windows are made speakers; the first is the default, for what docs/accuracy.md shows.
Method = Literal["agglomerative", "spectral"]
METHODS: Final[tuple[Method, ...]] = get_args(Method)

#: Windows shorter than this (seconds) say too little to found a speaker; they only choose among those that others founded.
TELLING: Final = 0.8
#: The fewest windows that make a speaker: about two seconds of speech, and in a long recording a quarter of the square root of their number
#: (ten seconds of an hour): the longer one listens, the more often a noise happens twice.
SMALLEST: Final = 2


def find_voices(embeddings: Embeddings, *, min_speakers: int, max_speakers: int, threshold: float, method: Method) -> NDArray[np.float32]:
    """The mean voice of each speaker: shape (s, d), of unit length, in order of first window.

    Short windows and those in which the voice changes found no speakers, and have no part in any mean.

    Args:
        embeddings: of one window or more.
        min_speakers: no fewer speakers, as far as there are windows.
        max_speakers: no more speakers.
        threshold: the cosine distance up to which two clusters of windows are one voice.
        method: how windows are made speakers.
    """
    vectors = embeddings.vectors[_telling(embeddings, threshold)]
    if method == "spectral":
        groups, sums, _ = condense(vectors)
        labels = number_in_order(spectral(_unit(sums), min_speakers=min_speakers, max_speakers=max_speakers)[groups])
    else:
        smallest = max(SMALLEST, round(math.sqrt(len(vectors)) / 4))
        labels = cluster(vectors, threshold=threshold, min_speakers=min_speakers, max_speakers=max_speakers, smallest=smallest)
    means = np.stack([vectors[labels == speaker].mean(axis=0) for speaker in range(int(labels.max()) + 1)])
    return np.asarray(_unit(means), dtype=np.float32)


def _telling(embeddings: Embeddings, threshold: float) -> NDArray[np.bool_]:
    """Which windows found speakers: those that are long enough and hold one voice, or else the long ones, or else all."""
    windows = embeddings.windows
    is_long = windows[:, 1] - windows[:, 0] >= TELLING
    is_pure = is_long & of_one_voice(windows, find_changes(windows, embeddings.vectors, threshold))
    enough = min(SMALLEST, len(windows))
    return next((chosen for chosen in (is_pure, is_long) if chosen.sum() >= enough), np.ones(len(windows), np.bool_))


def _unit(vectors: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12))
