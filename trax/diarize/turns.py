"""Who spoke when: embeddings of windows to turns of speakers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trax.diarize.cluster import number_in_order
from trax.diarize.embed import Embeddings
from trax.diarize.smooth import RATE, best_path, instant_scores
from trax.diarize.voices import Method, Voices, find_voices
from trax.diarize.windows import bridge
from trax.transcript import Diarization, Span, Turn

#: What a change of speaker costs, in cosine similarity times seconds: within speech, and across a pause, where changes mostly happen.
CHANGE_COST: Final = 0.05
PAUSE_COST: Final = 0.015
#: A margin of this much cosine similarity over the next speaker is full confidence.
SURE_MARGIN: Final = 0.3
#: Pauses up to this long (seconds) within one speaker's turn belong to it.
PAUSE_IN_TURN: Final = 0.5

_Floats = NDArray[np.float64]


def diarize(
    embeddings: Embeddings,
    speech: Sequence[Span],
    *,
    min_speakers: int,
    max_speakers: int,
    threshold: float,
    method: Method = "agglomerative",
) -> Diarization:
    """The turns of a recording: they cover the speech, end with it but for pauses of up to `PAUSE_IN_TURN`, and do not overlap.

    A turn's confidence is the mean margin, over its duration, by which it sounds more like its speaker than like the next one (cosine
    similarity with the mean voice), on a scale where `SURE_MARGIN` is 1; with a single speaker, the same of similarity above `threshold`.

    Args:
        embeddings: of windows over this speech.
        speech: from voice activity.
        min_speakers: no fewer speakers, as far as there are windows.
        max_speakers: no more speakers.
        threshold: the cosine distance up to which two clusters of windows are one voice.
        method: how windows are made speakers.
    """
    stretches = bridge(speech, 0.0)
    if not stretches:
        return Diarization(())
    if len(embeddings.windows) == 0:
        return Diarization(tuple(Turn(span.start, span.end, _label(0), 0.0) for span in bridge(stretches, PAUSE_IN_TURN)))
    windows = embeddings.windows.astype(np.float64)
    voices = find_voices(embeddings, min_speakers=min_speakers, max_speakers=max_speakers, threshold=threshold, method=method)
    similarities = embeddings.vectors @ voices.means.T
    instants, owners = _instants(stretches)
    scores = instant_scores(instants, windows, similarities.astype(np.float64))
    path = best_path(scores / RATE, np.where(np.diff(owners, prepend=0) > 0, PAUSE_COST, CHANGE_COST))
    if len(np.unique(path)) < min(min_speakers, scores.shape[1]):
        path = scores.argmax(axis=1)  # smoothing must not lose a speaker that was asked for
    margins = _margins(scores, path, threshold)
    numbered = number_in_order(path)
    pieces = list(_pieces(stretches, instants, owners, numbered, margins))
    return Diarization(tuple(_join(pieces)), warnings=tuple(_warnings(voices, dict(zip(path.tolist(), numbered.tolist(), strict=True)))))


def _instants(stretches: Sequence[Span]) -> tuple[_Floats, NDArray[np.intp]]:
    """The instants at which the speaker is decided (the middles of short slices of speech) and the stretch that each lies in."""
    times, owners = [], []
    for number, stretch in enumerate(stretches):
        count = max(1, round(stretch.duration * RATE))
        times.append(stretch.start + (np.arange(count) + 0.5) * stretch.duration / count)
        owners.append(np.full(count, number, np.intp))
    return np.concatenate(times), np.concatenate(owners)


def _margins(scores: _Floats, path: NDArray[np.intp], threshold: float) -> _Floats:
    """Confidence at each instant, 0 to 1: see `diarize`."""
    own = np.take_along_axis(scores, path[:, None], axis=1)[:, 0]
    others = scores.copy()
    np.put_along_axis(others, path[:, None], -np.inf, axis=1)
    rival = others.max(axis=1) if scores.shape[1] > 1 else np.full(len(own), 1.0 - threshold)
    return np.asarray(np.clip((own - rival) / SURE_MARGIN, 0.0, 1.0))


def _pieces(
    stretches: Sequence[Span], instants: _Floats, owners: NDArray[np.intp], path: NDArray[np.intp], margins: _Floats
) -> Iterator[Turn]:
    """One turn for each run of a speaker within a stretch of speech; runs meet half-way between their instants."""
    breaks = np.flatnonzero((np.diff(owners) > 0) | (np.diff(path) != 0)) + 1
    for run in np.split(np.arange(len(instants)), breaks):
        first, last = int(run[0]), int(run[-1])
        stretch = stretches[owners[first]]
        before = first > 0 and owners[first - 1] == owners[first]
        after = last + 1 < len(instants) and owners[last + 1] == owners[last]
        start = float(instants[first - 1] + instants[first]) / 2 if before else stretch.start
        end = float(instants[last] + instants[last + 1]) / 2 if after else stretch.end
        yield Turn(round(start, 3), round(end, 3), _label(int(path[first])), float(margins[run].mean()))


def _join(pieces: Sequence[Turn]) -> Iterator[Turn]:
    """Neighbours of one speaker, at most `PAUSE_IN_TURN` apart, made one turn; confidences weigh by duration."""
    held: list[Turn] = []
    for piece in pieces:
        if held and (piece.speaker != held[-1].speaker or piece.start - held[-1].end > PAUSE_IN_TURN):
            yield _merged(held)
            held = []
        held.append(piece)
    if held:
        yield _merged(held)


def _merged(pieces: Sequence[Turn]) -> Turn:
    durations = [max(piece.end - piece.start, 1e-6) for piece in pieces]
    confidence = sum(piece.confidence * each for piece, each in zip(pieces, durations, strict=True)) / sum(durations)
    return Turn(pieces[0].start, pieces[-1].end, pieces[0].speaker, round(confidence, 3))


def _warnings(voices: Voices, numbers: Mapping[int, int]) -> Iterator[str]:
    """What is in doubt about the voices that have turns; `numbers` are those of the turns, by voice."""
    for one, other in voices.alike:
        if one in numbers and other in numbers:
            first, second = sorted((numbers[one], numbers[other]))
            yield f"{_label(first)} and {_label(second)} sound so alike that they may be one person."
    for voice in voices.mixed:
        if voice in numbers:
            yield f"{_label(numbers[voice])} may be two people who sound alike."


def _label(speaker: int) -> str:
    return f"SPEAKER_{speaker:02d}"
