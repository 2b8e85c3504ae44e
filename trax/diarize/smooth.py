"""From what overlapping windows say to who speaks at each instant: no flicker, changes where the voices change."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from trax.diarize.windows import LENGTH

#: Instants a second at which the speaker is decided.
RATE: Final = 20

_Floats = NDArray[np.float64]


def instant_scores(instants: _Floats, windows: _Floats, similarities: _Floats) -> _Floats:
    """How much each instant sounds like each speaker: shape (t, s).

    A window says most about its middle: its word fades to nothing at its ends. An instant in no window takes the nearest one's word.

    Args:
        instants: (t,) seconds, rising.
        windows: (n, 2) seconds, n > 0.
        similarities: (n, s), of each window with each speaker.
    """
    centres = windows.mean(axis=1)
    order = np.argsort(centres, kind="stable")
    centres, similarities = centres[order], similarities[order]
    half = LENGTH / 2
    first = np.searchsorted(centres, instants - half, side="right")
    last = np.searchsorted(centres, instants + half, side="left")
    nearest = _nearest(instants, centres)
    scores = similarities[nearest].copy()
    totals = np.full(len(instants), 1e-9)
    scores *= 1e-9
    for offset in range(int((last - first).max(initial=0))):
        index = np.minimum(first + offset, len(centres) - 1)
        weight = np.where(first + offset < last, 1.0 - np.abs(centres[index] - instants) / half, 0.0)
        scores += weight[:, None] * similarities[index]
        totals += weight
    return np.asarray(scores / totals[:, None])


def best_path(scores: _Floats, change_costs: _Floats) -> NDArray[np.intp]:
    """The sequence of speakers with the highest sum of scores less the costs of its changes (Viterbi 1967): shape (t,).

    Args:
        scores: (t, s).
        change_costs: (t,), what it costs to change speaker between instant t - 1 and t; the first is not used.
    """
    if len(scores) == 0:
        return np.zeros(0, np.intp)
    came_from = np.zeros(scores.shape, np.int16)
    stay = np.arange(scores.shape[1], dtype=np.int16)
    total = scores[0].copy()
    for t in range(1, len(scores)):
        best = int(total.argmax())
        changes = total[best] - change_costs[t] > total
        came_from[t] = np.where(changes, best, stay)
        total = np.where(changes, total[best] - change_costs[t], total) + scores[t]
    path = np.zeros(len(scores), np.intp)
    path[-1] = int(total.argmax())
    for t in range(len(scores) - 1, 0, -1):
        path[t - 1] = came_from[t, path[t]]
    return path


def _nearest(instants: _Floats, centres: _Floats) -> NDArray[np.intp]:
    after = np.clip(np.searchsorted(centres, instants), 0, len(centres) - 1)
    before = np.maximum(after - 1, 0)
    return np.asarray(np.where(np.abs(centres[before] - instants) <= np.abs(centres[after] - instants), before, after))
