"""Windows to speakers: agglomerative clustering with average linkage on cosine distance, in bounded memory.

Between unit vectors the mean of all pairwise cosines of two clusters is (sum a · sum b) / (count a · count b), so a cluster is known by its
sum and its count, and average linkage (UPGMA: Sokal & Michener 1958) needs no matrix of all pairs of windows. Up to `EXACT` windows
the result is that of the textbook; of more, the closest within a few minutes are first merged into small groups.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

#: At most this many clusters are compared with each other.
EXACT: Final = 640
#: Clusters of fewer windows than this (five seconds of speech) say so little that they join another up to `LENIENCE` beyond the threshold.
FEW: Final = 10
LENIENCE: Final = 0.09
#: A recording with more windows is first taken in pieces of this many, each merged down to a quarter: far more groups than voices.
PIECE: Final = 256
_KEEP: Final = 4

_Vectors = NDArray[np.floating[Any]]
_Labels = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Merges:
    """The tree of an agglomeration: step k puts cluster `pairs[k, 1]` into `pairs[k, 0]`, at distance `distances[k]`, never decreasing."""

    pairs: NDArray[np.intp]
    distances: NDArray[np.float64]


def agglomerate(sums: _Vectors, counts: NDArray[np.float64], until: int = 1) -> Merges:
    """Merge the two closest clusters until `until` are left; of equally close ones the first in order.

    Args:
        sums: (n, d), the sum of the unit vectors of each cluster.
        counts: (n,), how many each one holds.
        until: how many clusters to stop at.
    """
    sums, counts = sums.astype(np.float64), counts.astype(np.float64)
    distances = 1.0 - (sums @ sums.T) / np.outer(counts, counts)
    np.fill_diagonal(distances, np.inf)
    pairs, heights = [], []
    for _ in range(len(sums) - until):
        kept, gone = sorted(divmod(int(distances.argmin()), len(sums)))
        pairs.append((kept, gone))
        heights.append(distances[kept, gone])
        merged = counts[kept] * distances[kept] + counts[gone] * distances[gone]
        counts[kept] += counts[gone]
        merged /= counts[kept]
        merged[kept] = np.inf
        distances[kept], distances[:, kept] = merged, merged
        distances[gone], distances[:, gone] = np.inf, np.inf
    return Merges(np.array(pairs, np.intp).reshape(-1, 2), np.array(heights, np.float64))


def cluster(
    vectors: _Vectors, *, threshold: float, min_speakers: int, max_speakers: int, smallest: int, lenience: float = LENIENCE
) -> _Labels:
    """The speaker of each window: shape (n,), numbered from 0 without gaps in order of first window.

    Clusters are merged while their mean cosine distance is at most `threshold`; then those of fewer than `FEW` windows join one that is no
    smaller while that distance is at most `threshold + lenience`. Only those of `smallest` windows or more count as speakers (when there is
    none: those as large as the largest); the windows of the others (noise, two voices at once) go to the nearest speaker. Where that gives
    more than `max_speakers`, merging goes on; where fewer than `min_speakers`, it stops earlier, and if need be smaller clusters count.

    Args:
        vectors: (n, d) of unit length.
        threshold: the cosine distance, 0 to 2, up to which two clusters are one voice.
        min_speakers: at least so many, as far as there are windows.
        max_speakers: at most so many.
        smallest: the fewest windows a speaker has.
        lenience: how much further from another a cluster of few windows may be and still join it.
    """
    if len(vectors) == 0:
        return np.zeros(0, np.intp)
    groups, sums, counts = condense(vectors)
    merges = agglomerate(sums, counts)
    wanted = int(np.searchsorted(merges.distances, threshold, side="right"))
    steps, smallest = _choose_cut(counts, merges, wanted, min_speakers, max_speakers, smallest)
    labels = _labels_after(len(sums), merges, steps)
    labels = _join_few(labels, sums, counts, smallest, threshold + lenience, min_speakers)
    return number_in_order(_join_small(labels, sums, counts, smallest)[groups])


def condense(vectors: _Vectors) -> tuple[_Labels, NDArray[np.float64], NDArray[np.float64]]:
    """Windows in at most `EXACT` groups: the group of each (n,), the groups' sums (m, d) and counts (m,)."""
    groups, sums, counts = np.arange(len(vectors)), vectors, np.ones(len(vectors))
    while len(sums) > EXACT:
        piece_of, new_sums, new_counts = [], [], []
        made = 0
        for first in range(0, len(sums), PIECE):
            piece, sizes = sums[first : first + PIECE].astype(np.float64), counts[first : first + PIECE]
            merges = agglomerate(piece, sizes, until=-(-len(piece) // _KEEP))
            labels = number_in_order(_labels_after(len(piece), merges, len(merges.pairs)))
            piece_of.append(labels + made)
            made += int(labels.max()) + 1
            new_sums.append(_sum_by(labels, piece))
            new_counts.append(np.bincount(labels, weights=sizes))
        groups = np.concatenate(piece_of)[groups]
        sums, counts = np.concatenate(new_sums), np.concatenate(new_counts)
    return groups, sums.astype(np.float64), counts


def number_in_order(labels: _Labels) -> _Labels:
    """The same labels numbered from 0 in order of first appearance."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return np.asarray(np.argsort(np.argsort(first))[inverse], dtype=np.intp)


def _choose_cut(
    counts: NDArray[np.float64], merges: Merges, wanted: int, min_speakers: int, max_speakers: int, smallest: int
) -> tuple[int, int]:
    """How many merges to make, and the fewest windows that then make a speaker."""
    sizes = counts.copy()
    large = [int((sizes >= smallest).sum())]
    largest = [sizes.max()]
    for kept, gone in merges.pairs:
        sizes[kept], sizes[gone] = sizes[kept] + sizes[gone], 0.0
        large.append(int((sizes >= smallest).sum()))
        largest.append(sizes.max())
    if largest[wanted] < smallest:
        return _choose_cut(counts, merges, wanted, min_speakers, max_speakers, int(largest[wanted]))
    if large[wanted] > max_speakers:
        return next(step for step in range(wanted, len(large)) if large[step] <= max_speakers), smallest
    enough = [step for step in range(wanted + 1) if large[step] >= min_speakers]
    if enough:
        return enough[-1], smallest
    if smallest > 1:
        return _choose_cut(counts, merges, wanted, min_speakers, max_speakers, smallest - 1)
    return 0, 1


def _labels_after(clusters: int, merges: Merges, steps: int) -> _Labels:
    labels = np.arange(clusters)
    for kept, gone in merges.pairs[:steps]:
        labels[labels == gone] = kept
    return labels


def _join_few(
    labels: _Labels, sums: NDArray[np.float64], counts: NDArray[np.float64], smallest: int, farthest: float, min_speakers: int
) -> _Labels:
    """Clusters of `smallest` to `FEW` windows become part of one that is no smaller, nearest first, while `min_speakers` are left."""
    names, members = np.unique(labels, return_inverse=True)
    cluster_sums, sizes = _sum_by(members, sums), np.bincount(members, weights=counts)
    home = np.arange(len(names))
    while (sizes >= smallest).sum() > min_speakers:
        distances = 1.0 - (cluster_sums @ cluster_sums.T) / np.maximum(np.outer(sizes, sizes), 1.0)
        may_join = ((sizes >= smallest) & (sizes < FEW))[:, None] & (sizes >= smallest) & (sizes >= sizes[:, None])
        distances[~may_join | np.eye(len(names), dtype=bool)] = np.inf
        gone, kept = divmod(int(distances.argmin()), len(names))
        if distances[gone, kept] > farthest:
            break
        home[home == gone] = kept
        cluster_sums[kept] += cluster_sums[gone]
        sizes[kept], sizes[gone] = sizes[kept] + sizes[gone], 0.0
    return np.asarray(names[home[members]], np.intp)


def _join_small(labels: _Labels, sums: NDArray[np.float64], counts: NDArray[np.float64], smallest: int) -> _Labels:
    """Clusters of fewer than `smallest` windows become part of the nearest of the others."""
    names, members = np.unique(labels, return_inverse=True)
    cluster_sums, sizes = _sum_by(members, sums), np.bincount(members, weights=counts)
    is_large = sizes >= smallest
    centroids = cluster_sums[is_large] / sizes[is_large, None]
    home = np.arange(len(names))
    home[~is_large] = np.flatnonzero(is_large)[(cluster_sums[~is_large] @ centroids.T).argmax(axis=1)]
    return np.asarray(names[home[members]], dtype=np.intp)


def _sum_by(labels: _Labels, vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    sums = np.zeros((int(labels.max()) + 1, vectors.shape[1]))
    np.add.at(sums, labels, vectors)
    return sums
