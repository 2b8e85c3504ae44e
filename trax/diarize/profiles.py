"""Whose voice a speaker's is: the mean voices of a recording against those of people who were enrolled. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trax.diarize.embed import Embeddings
from trax.transcript import Likeness, Turn, VoicePrint

#: A window tells of a speaker's voice when at least this part of it lies in the speaker's turns.
OWN_PART: Final = 0.8

_Floats = NDArray[np.floating[Any]]


def mean_voice(vectors: _Floats, weights: _Floats | None = None) -> NDArray[np.float64]:
    """The mean of embeddings (n, d), n > 0, at length 1: shape (d,); zeros where they cancel out. `weights` are (n,), not all 0."""
    mean = np.average(vectors.astype(np.float64), axis=0, weights=weights)
    return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-12))


def voices(embeddings: Embeddings, turns: Sequence[Turn]) -> dict[str, NDArray[np.float64]]:
    """The mean voice (d,) of each speaker, by label, from the windows that lie in the speaker's turns (see `OWN_PART`).

    Of a speaker without such windows, those weigh that overlap the turns at all, by how much; one without any is left out.
    """
    starts, ends = embeddings.windows.astype(np.float64).T if len(embeddings.windows) else (np.zeros(0), np.zeros(0))
    spoken: dict[str, NDArray[np.float64]] = {}
    for turn in turns:
        shared = np.clip(np.minimum(ends, turn.end) - np.maximum(starts, turn.start), 0.0, None)
        spoken[turn.speaker] = spoken.get(turn.speaker, np.zeros(len(starts))) + shared
    found = {}
    for label, seconds in sorted(spoken.items()):
        part = seconds / np.maximum(ends - starts, 1e-9)
        weights = np.where(part >= OWN_PART, 1.0, 0.0) if (part >= OWN_PART).any() else part
        if weights.sum() > 0:
            found[label] = mean_voice(embeddings.vectors, weights)
    return found


def likenesses(
    found: Mapping[str, _Floats], enrolled: Sequence[VoicePrint], *, accept: float, suggest: float
) -> dict[str, Likeness]:
    """Whom each speaker sounds like, by label; who sounds like nobody is left out.

    A speaker is compared (cosine similarity) with everyone enrolled, and may only be the one most alike. Where that is the same one for
    several speakers, the most alike of them has the name, and the others none: they may be one voice that was taken for two, but they are
    hardly somebody whom they resemble less. So each name is given once at most, and never for lack of a better one, which the assignment
    with the highest sum would do. From `accept` on, it is that person; from `suggest` on, it may be.
    """
    if not enrolled or not found:
        return {}
    prints = np.array([each.vector for each in enrolled], np.float64)
    labels = sorted(found)
    similarities = np.stack([found[label] for label in labels]).astype(np.float64) @ prints.T
    given: dict[str, Likeness] = {}
    for person, each in enumerate(enrolled):
        candidates = [row for row in range(len(labels)) if int(similarities[row].argmax()) == person]
        if not candidates:
            continue
        row = max(candidates, key=lambda row: similarities[row, person])  # of equals the first label
        similarity = round(float(similarities[row, person]), 4)
        if similarity >= min(suggest, accept):
            given[labels[row]] = Likeness(each.name, similarity, similarity >= accept)
    return dict(sorted(given.items()))
