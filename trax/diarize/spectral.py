"""Windows to speakers by spectral clustering that tunes itself: NME-SC (Park, Han, Kumar and Narayanan, IEEE SPL 27, 2020).

Each window keeps its p nearest neighbours; the eigenvalues of the graph's Laplacian tell the number of speakers by their largest gap, and
p is the one for which that gap is largest for its size.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

#: The fewest neighbours: a window overlaps with so many that share its sound and say nothing of its voice; the largest part of all windows
#: that are neighbours; and how many values of p are tried.
FEWEST: Final = 10
LARGEST_PART: Final = 0.3
_TRIED: Final = 20
_ROUNDS: Final = 50  # of k-means, which stops as soon as nothing moves
_TINY: Final = 1e-10

_Floats = NDArray[np.floating[Any]]
_Labels = NDArray[np.intp]


def spectral(vectors: _Floats, *, min_speakers: int, max_speakers: int) -> _Labels:
    """The speaker of each window, shape (n,), from 0; n windows (n, d) of unit length, no more than some hundreds.

    The number of speakers is estimated between `min_speakers` and `max_speakers`, as far as there are windows.
    """
    count = len(vectors)
    low, high = min(min_speakers, count), min(max_speakers, count)
    if high <= 1:
        return np.zeros(count, np.intp)
    similarities = np.asarray(vectors @ vectors.T, np.float64)
    neighbours = np.argsort(-similarities, axis=1, kind="stable")
    largest = max(1, round(LARGEST_PART * count))
    tried = sorted({round(p) for p in np.linspace(min(FEWEST, largest), largest, _TRIED)})
    best = min(tried, key=lambda p: _ratio(neighbours, p, high))
    laplacian = _laplacian(neighbours, best)
    values, directions = np.linalg.eigh(laplacian)
    speakers = low + int(np.argmax(_gaps(values, high)[low - 1 :])) if high > low else low
    return k_means(directions[:, :speakers], speakers)


def _ratio(neighbours: _Labels, p: int, most: int) -> float:
    """P over the largest gap of the eigenvalues (of the greatest of them): the smaller, the clearer the clusters."""
    values = np.linalg.eigvalsh(_laplacian(neighbours, p))
    return p / (float(_gaps(values, most).max() / (values[-1] + _TINY)) + _TINY)


def _gaps(values: _Floats, most: int) -> NDArray[np.float64]:
    """The gap after each of the first `most` eigenvalues; with as many clusters as windows there is none after the last."""
    return np.asarray(np.diff(np.append(values, values[-1])[: most + 1]), np.float64)


def _laplacian(neighbours: _Labels, p: int) -> NDArray[np.float64]:
    """Of the graph in which every window is joined with its p nearest, half for each of the two who thinks so."""
    count = len(neighbours)
    graph = np.zeros((count, count))
    np.put_along_axis(graph, neighbours[:, :p], 1.0, axis=1)
    graph = (graph + graph.T) / 2
    np.fill_diagonal(graph, 0.0)
    return np.asarray(np.diag(graph.sum(axis=1)) - graph)


def k_means(points: _Floats, clusters: int) -> _Labels:
    """The cluster of each point (n, d), without chance: the first centre is the point farthest from the mean, the next from all before."""
    distances = _squares(points, points.mean(axis=0, keepdims=True))[:, 0]
    centres = [points[int(distances.argmax())]]
    while len(centres) < clusters:
        centres.append(points[int(_squares(points, np.stack(centres)).min(axis=1).argmax())])
    means, labels = np.stack(centres), np.full(len(points), -1)
    for _ in range(_ROUNDS):
        now = _squares(points, means).argmin(axis=1)
        if (now == labels).all():
            break
        labels = now
        means = np.stack([points[labels == each].mean(axis=0) if (labels == each).any() else means[each] for each in range(clusters)])
    return np.asarray(labels, np.intp)


def _squares(points: _Floats, centres: _Floats) -> NDArray[np.float64]:
    """Squared distances (n, c)."""
    return np.asarray(((points[:, None, :] - centres[None]) ** 2).sum(axis=2))
