"""Windows to voices: which windows found speakers, by which method, what each speaker sounds like, and how sure that all is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from trax.diarize.changes import find_changes, of_one_voice
from trax.diarize.cluster import FEW, agglomerate, cluster, condense, number_in_order
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


#: Two voices that differ by less than the threshold and this may be one; one whose parts differ by more than the threshold less this, two.
NEAR: Final = 0.04


@dataclass(frozen=True, slots=True, eq=False)
class Voices:
    """What speakers sound like: `means` (s, d), of unit length, in order of first window.

    `alike` are pairs of speakers who may be one person, `mixed` speakers who may be two.
    """

    means: NDArray[np.float32]
    alike: tuple[tuple[int, int], ...] = ()
    mixed: tuple[int, ...] = ()


def find_voices(embeddings: Embeddings, *, min_speakers: int, max_speakers: int, threshold: float, method: Method) -> Voices:
    """The voice of each speaker.

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
    parts = [vectors[labels == speaker] for speaker in range(int(labels.max()) + 1)]
    means = np.stack([part.mean(axis=0) for part in parts])
    enough = [speaker for speaker, part in enumerate(parts) if len(part) >= FEW]
    return Voices(
        np.asarray(_unit(means), dtype=np.float32),
        alike=tuple((one, other) for one, other in combinations(enough, 2) if 1.0 - means[one] @ means[other] < threshold + NEAR),
        mixed=tuple(speaker for speaker in enough if _halves_apart(parts[speaker]) > threshold - NEAR),
    )


def _halves_apart(vectors: NDArray[np.float32]) -> float:
    """The cosine distance of the two parts that a voice was last made of, -1 where one is of few windows."""
    _, sums, counts = condense(vectors)
    merges = agglomerate(sums, counts)
    if not len(merges.pairs):
        return -1.0
    sizes = counts.copy()
    for kept, gone in merges.pairs[:-1]:
        sizes[kept] += sizes[gone]
    return float(merges.distances[-1]) if sizes[merges.pairs[-1]].min() >= FEW else -1.0


def _telling(embeddings: Embeddings, threshold: float) -> NDArray[np.bool_]:
    """Which windows found speakers: those that are long enough and hold one voice, or else the long ones, or else all."""
    windows = embeddings.windows
    is_long = windows[:, 1] - windows[:, 0] >= TELLING
    is_pure = is_long & of_one_voice(windows, find_changes(windows, embeddings.vectors, threshold))
    enough = min(SMALLEST, len(windows))
    return next((chosen for chosen in (is_pure, is_long) if chosen.sum() >= enough), np.ones(len(windows), np.bool_))


def _unit(vectors: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12))
