"""Speech to speaker embeddings: what a voice sounds like in each window, as a point on the unit sphere."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trax import files
from trax.audio.pcm import Pcm
from trax.diarize.front_ends import AXES, FRONT_ENDS, FrontEnd
from trax.diarize.windows import LENGTH, plan_windows
from trax.errors import Cancelled, ModelError
from trax.models.model import Model
from trax.models.network import Network
from trax.transcript import Span

#: Windows that go through the network at once: more is no faster on a core, and takes more memory.
BATCH: Final = 16


@dataclass(frozen=True, slots=True, eq=False)
class Embeddings:
    """`windows` (n, 2) float32: start and end in seconds. `vectors` (n, d) float32: of unit length, one for each window."""

    windows: NDArray[np.float32]
    vectors: NDArray[np.float32]


def embed(
    pcm: Pcm,
    speech: Sequence[Span],
    encode: Encoder,
    on_progress: Callable[[float], None],
    is_cancelled: Callable[[], bool],
) -> Embeddings:
    """The embeddings of all windows over `speech`. Sound is read a block at a time: memory does not grow with the recording.

    Raises Cancelled when `is_cancelled` turned true.
    """
    windows = plan_windows(speech)
    front_end = encode.front_end(pcm)
    size = front_end.size(LENGTH)
    vectors = np.empty((len(windows), encode.dimensions), np.float32)
    for first in range(0, len(windows), BATCH):
        if is_cancelled():
            raise Cancelled("Diarization was cancelled.")
        batch = np.stack([fitted(front_end.of([Span(start, end)]), size) for start, end in windows[first : first + BATCH].tolist()])
        vectors[first : first + BATCH] = encode(batch)
        on_progress(min(1.0, (first + BATCH) / len(windows)))
    return Embeddings(windows, vectors)


def embed_local(
    pcm: Pcm,
    heard: Sequence[Sequence[Span]],
    encode: Encoder,
    on_progress: Callable[[float], None],
    is_cancelled: Callable[[], bool],
) -> Embeddings:
    """The embeddings of local speakers (`trax.diarize.overlap`), each of all the spans where it is heard; its window is from first to last.

    Raises Cancelled when `is_cancelled` turned true.
    """
    front_end = encode.front_end(pcm)
    least = front_end.size(LENGTH)
    windows = np.array([(spans[0].start, spans[-1].end) for spans in heard], np.float32).reshape(-1, 2)
    vectors = np.empty((len(heard), encode.dimensions), np.float32)
    for number, spans in enumerate(heard):
        if is_cancelled():
            raise Cancelled("Diarization was cancelled.")
        given = front_end.of(spans)
        vectors[number] = encode(fitted(given, max(least, len(given)))[None])[0]
        on_progress((number + 1) / len(heard))
    return Embeddings(windows, vectors)


def fitted(heard: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """What was heard, `size` long: a shorter piece is said again until it is; silence instead would look like a part of the voice."""
    return np.resize(heard, (size, *heard.shape[1:]))


class Encoder:
    """A network that makes of a voice a point on the unit sphere of `dimensions`, on no more than `threads` cores.

    Raises ModelError when the model cannot be loaded or is not a speaker embedding.
    """

    def __init__(self, model: Model, threads: int) -> None:
        if model.kind != "embedding" or model.engine not in FRONT_ENDS:
            raise ModelError(f"{model.name} is not a speaker embedding that Trax can run.", file=model.path)
        self._network = Network(model, threads)
        self._front_end = FRONT_ENDS[model.engine]
        wanted = AXES[model.engine]
        takes, gives = self._network.takes, self._network.gives
        if len(takes) != len(wanted) or takes[2:] != wanted[2:] or len(gives) != 2 or not isinstance(gives[1], int):  # noqa: PLR2004
            what = f"{model.name} is no speaker embedding as {model.engine} has them: it makes {gives} of {takes}."
            raise ModelError(what, file=model.path)
        self.dimensions = gives[1]

    def front_end(self, pcm: Pcm) -> FrontEnd:
        """What reads a recording for this network."""
        return self._front_end(pcm)

    def __call__(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """The embeddings of what a front end gave for several pieces of one size: (b, …) to (b, dimensions), of unit length."""
        vectors = self._network(batch)
        return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12), dtype=np.float32)


def save(path: Path, embeddings: Embeddings) -> None:
    """Write the artefact `embeddings.npz`: plain arrays, the same bytes for the same embeddings."""
    with files.replacing(path) as handle:
        np.savez(handle, windows=embeddings.windows, vectors=embeddings.vectors)


def load(path: Path) -> Embeddings:
    """Read what `save` wrote. Raises ModelError when it is something else."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            windows, vectors = arrays["windows"], arrays["vectors"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ModelError(f"The speaker embeddings cannot be read: {error}.", file=str(path)) from error
    if windows.ndim != 2 or windows.shape[1] != 2 or vectors.ndim != 2 or len(vectors) != len(windows):  # noqa: PLR2004 - start and end
        raise ModelError("The speaker embeddings have the wrong shape.", file=str(path))
    return Embeddings(windows.astype(np.float32, copy=False), vectors.astype(np.float32, copy=False))
