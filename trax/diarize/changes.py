"""Where the voice changes between windows, and which windows hold but one voice."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trax.diarize.windows import LENGTH, STEP

#: A window is compared with one that starts where it ends, give or take so many seconds.
_SLACK: Final = STEP / 2
#: Changes are at least so many seconds apart: nearer ones are one, seen by several windows.
_APART: Final = LENGTH / 2
#: A window that reaches no further than this (seconds) beyond a change still holds but one voice.
_REACH: Final = 0.2

_Floats = NDArray[np.floating[Any]]


def find_changes(windows: _Floats, vectors: _Floats, threshold: float) -> NDArray[np.float64]:
    """The moments (seconds, rising) at which one voice gives way to another within speech: shape (k,).

    There the window that ends and the one that begins differ by more than `threshold` (cosine distance), and by more than at any other
    moment nearby.

    Args:
        windows: (n, 2) seconds, starts rising.
        vectors: (n, d) of unit length.
        threshold: the cosine distance beyond which two windows are two voices.
    """
    starts, ends = windows[:, 0].astype(np.float64), windows[:, 1].astype(np.float64)
    after = np.searchsorted(starts, ends - _SLACK)
    has_next = after < len(starts)
    before, after = np.flatnonzero(has_next), after[has_next]
    meets = np.abs(starts[after] - ends[before]) <= _SLACK
    before, after = before[meets], after[meets]
    moments = (ends[before] + starts[after]) / 2
    distances = 1.0 - np.einsum("nd,nd->n", vectors[before], vectors[after])
    order = np.argsort(moments, kind="stable")
    moments, distances = moments[order], distances[order]
    first, last = np.searchsorted(moments, moments - _APART, side="right"), np.searchsorted(moments, moments + _APART)
    found = list[float]()
    for index in np.flatnonzero(distances > threshold).tolist():
        is_peak = distances[index] >= distances[first[index] : last[index]].max()
        if is_peak and not (found and moments[index] - found[-1] < _APART):
            found.append(float(moments[index]))
    return np.array(found, np.float64)


def of_one_voice(windows: _Floats, changes: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether each window, (n, 2) seconds, lies on one side of every change but for its edges: shape (n,)."""
    first = np.searchsorted(changes, windows[:, 0] + _REACH, side="right")
    last = np.searchsorted(changes, windows[:, 1] - _REACH, side="left")
    return np.asarray(first >= last)
