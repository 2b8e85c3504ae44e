"""Who talks when, two at once among them, from windows in which voices are told apart and from what each of those voices sounds like. Pure.

After the pipeline SpeakerDiarization of pyannote.audio (`pyannote/audio/pipelines/speaker_diarization.py`; Bredin, "pyannote.audio 2.1
speaker diarization pipeline: principle, benchmark, and recipe", Interspeech 2023): the local speakers of all windows are clustered by
their embeddings, those of one window never together; how many talk at once is the mean of what the windows say; and at each instant so
many talk as that, the ones with the most windows for them.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trax.diarize.cluster import cluster
from trax.diarize.segment import Segmentation
from trax.diarize.turns import PAUSE_IN_TURN, SURE_MARGIN
from trax.transcript import Diarization, Span, Turn

#: A local speaker who talks less than this (seconds) is not listened to; who talks alone for less is listened to among others as well.
SHORTEST: Final = 0.2
ALONE: Final = 0.5
#: One who talks alone for less than this (seconds: a fifth of a window) founds no speaker, but only chooses among those that others found.
TELLING: Final = 2.0
#: The fewest local speakers that make a speaker: one who talks once for a few seconds is in about four windows. Of few, a tenth of them.
SMALLEST: Final = 3

_Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Locals:
    """The local speakers worth listening to: `places` (n, 2), window and number in it; `spans` to listen to; `alone` (n,), seconds."""

    places: NDArray[np.intp]
    spans: tuple[tuple[Span, ...], ...]
    alone: NDArray[np.float64]


def local_speakers(segmentation: Segmentation) -> Locals:
    """Where to listen to each local speaker: to where it talks alone, if that is enough to know a voice by."""
    active = segmentation.active
    alone = active & (active.sum(axis=2, keepdims=True) == 1)
    seconds, seconds_alone = (each.sum(axis=1) * segmentation.step for each in (active, alone))
    places = np.argwhere(seconds >= SHORTEST)
    spans = []
    for window, speaker in places:
        heard = alone if seconds_alone[window, speaker] >= ALONE else active
        start = segmentation.start + window * segmentation.hop * segmentation.step
        runs = _runs(heard[window, :, speaker])
        spans.append(tuple(Span(start + first * segmentation.step, start + last * segmentation.step) for first, last in runs))
    return Locals(places, tuple(spans), seconds_alone[places[:, 0], places[:, 1]])


def diarize_overlapping(
    segmentation: Segmentation, vectors: _Floats, *, min_speakers: int, max_speakers: int, threshold: float
) -> Diarization:
    """The turns of a recording, which overlap where several talk at once, and the same with one speaker at a time.

    A turn's confidence is the mean margin, over its time, by which its local speakers sound more like its speaker than like the next one,
    as `trax.diarize.turns.diarize` has it.

    Args:
        segmentation: of the recording.
        vectors: (n, d) of unit length, one for each of its `local_speakers`.
        min_speakers: no fewer speakers, as far as there are voices.
        max_speakers: no more speakers.
        threshold: the cosine distance up to which two clusters are one voice.
    """
    heard = local_speakers(segmentation)
    if not len(heard.places):
        return Diarization(())
    voices = _voices(vectors, heard.alone, min_speakers, max_speakers, threshold)
    similarities = vectors @ voices.T
    speakers = assign(similarities, heard.places[:, 0])
    margins = _margins(similarities, speakers, threshold)
    votes, sureness = _votes(segmentation, heard.places, speakers, margins, len(voices))
    talking = most_voted(votes, speaker_count(segmentation))
    _fill_pauses(talking, round(PAUSE_IN_TURN / segmentation.step))
    first_heard = np.where(talking.any(axis=0), talking.argmax(axis=0), len(talking))
    numbers = np.argsort(np.argsort(first_heard, kind="stable"))
    confidence = sureness / np.maximum(votes, 1)
    exclusive = np.zeros_like(talking)
    loudest = np.where(talking, votes + confidence / 2, -1.0).argmax(axis=1)
    exclusive[np.arange(len(talking)), loudest] = talking.any(axis=1)
    return Diarization(_turns(segmentation, talking, confidence, numbers), exclusive=_turns(segmentation, exclusive, confidence, numbers))


def speaker_count(segmentation: Segmentation) -> NDArray[np.intp]:
    """How many talk in each frame of the recording: what the windows over it say in the mean, rounded: shape (t,)."""
    said, windows = np.zeros(segmentation.frames), np.zeros(segmentation.frames)
    for at, active in _placed(segmentation):
        said[at] += active.sum(axis=1)
        windows[at] += 1
    return np.rint(said / np.maximum(windows, 1)).astype(np.intp)


def assign(similarities: _Floats, windows: NDArray[np.intp]) -> NDArray[np.intp]:
    """The speaker of each local speaker: the assignment with the largest sum in which those of one window are different people: shape (n,).

    Where a window has more local speakers than there are speakers, those that fit least are whoever they sound most like, so that no speech
    is lost.

    Args:
        similarities: (n, s), of each local speaker with each speaker.
        windows: (n,), the window of each, in order.
    """
    found = np.zeros(len(similarities), np.intp)
    for members in np.split(np.arange(len(windows)), np.flatnonzero(np.diff(windows)) + 1):
        found[members] = _best(similarities[members])
    return found


def most_voted(votes: _Floats, count: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Who talks in each frame: the `count` speakers with the most votes, of equals the first, never one without any: shape (t, s)."""
    ranks = np.argsort(np.argsort(-votes, axis=1, kind="stable"), axis=1, kind="stable")
    return np.asarray((ranks < count[:, None]) & (votes > 0))


def _voices(vectors: _Floats, alone: NDArray[np.float64], min_speakers: int, max_speakers: int, threshold: float) -> _Floats:
    """The mean voice of each speaker: shape (s, d), of unit length."""
    telling = alone >= TELLING
    if telling.sum() < min_speakers:
        telling = np.ones(len(vectors), np.bool_)
    told = vectors[telling]
    smallest = min(SMALLEST, max(1, round(len(told) / 10)))
    # no lenience towards few: here a local speaker is seconds of a voice, not a window
    labels = cluster(told, threshold=threshold, min_speakers=min_speakers, max_speakers=max_speakers, smallest=smallest, lenience=0.0)
    means = np.stack([told[labels == speaker].mean(axis=0) for speaker in range(int(labels.max()) + 1)])
    return np.asarray(means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12))


def _best(similarities: _Floats) -> NDArray[np.intp]:
    """The best assignment of a few local speakers (rows). Some best one gives each of n of them one of its own n best speakers."""
    few, speakers = similarities.shape
    if few > speakers:
        kept = np.sort(np.argsort(-similarities.max(axis=1), kind="stable")[:speakers])
        found = np.asarray(similarities.argmax(axis=1), np.intp)
        found[kept] = _best(similarities[kept])
        return found
    choices = np.argsort(-similarities, axis=1, kind="stable")[:, :few]
    different = (each for each in itertools.product(*choices) if len(set(each)) == few)
    rows = np.arange(few)
    return np.array(max(different, key=lambda each: float(similarities[rows, list(each)].sum())), np.intp)


def _margins(similarities: _Floats, speakers: NDArray[np.intp], threshold: float) -> _Floats:
    """How surely each local speaker is its speaker, 0 to 1: shape (n,)."""
    rows = np.arange(len(speakers))
    own = similarities[rows, speakers]
    others = np.array(similarities, np.float64)
    others[rows, speakers] = -np.inf
    rival = others.max(axis=1) if similarities.shape[1] > 1 else np.full(len(own), 1.0 - threshold)
    return np.asarray(np.clip((own - rival) / SURE_MARGIN, 0.0, 1.0))


def _votes(
    segmentation: Segmentation, places: NDArray[np.intp], speakers: NDArray[np.intp], margins: _Floats, count: int
) -> tuple[_Floats, _Floats]:
    """How many windows hear each speaker talk in each frame, and the sum of how sure they are: shapes (t, s)."""
    votes, sureness = (np.zeros((segmentation.frames, count)) for _ in range(2))
    for (window, local), speaker, margin in zip(places, speakers, margins, strict=True):
        active = segmentation.active[window, :, local]
        at = slice(window * segmentation.hop, window * segmentation.hop + len(active))
        votes[at, speaker] += active
        sureness[at, speaker] += active * margin
    return votes, sureness


def _fill_pauses(talking: NDArray[np.bool_], longest: int) -> None:
    """Let a speaker talk on over up to `longest` frames in which nobody does."""
    silent = np.asarray(~talking.any(axis=1))
    for first, last in _runs(silent):
        if first > 0 and last < len(talking) and last - first <= longest:
            talking[first:last] = talking[first - 1] & talking[last]


def _turns(
    segmentation: Segmentation, talking: NDArray[np.bool_], confidence: _Floats, numbers: NDArray[np.intp]
) -> tuple[Turn, ...]:
    """A turn for each run of a speaker, in order of start; `numbers` are those in the speakers' labels."""
    turns = []
    for speaker, number in enumerate(numbers):
        for first, last in _runs(talking[:, speaker]):
            sure = confidence[first:last, speaker]
            start, end = (round(segmentation.start + frame * segmentation.step, 3) for frame in (first, last))
            turns.append(Turn(start, end, f"SPEAKER_{number:02d}", round(float(sure.mean()), 3)))
    return tuple(sorted(turns, key=lambda turn: (turn.start, turn.end, turn.speaker)))


def _placed(segmentation: Segmentation) -> Iterator[tuple[slice, NDArray[np.bool_]]]:
    """Where each window lies among the frames of the recording."""
    for number, active in enumerate(segmentation.active):
        yield slice(number * segmentation.hop, number * segmentation.hop + len(active)), active


def _runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Where true values stand side by side: the first of each run, and the first after it."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return [(int(first), int(last)) for first, last in edges.reshape(-1, 2)]
