"""Sound to who talks when within short windows: a segmentation network over a recording, windows of ten seconds that overlap.

The network tells the voices of a window apart, two at once among them, but knows nobody from window to window: which of the local speakers
are one person is for the embeddings to say (`trax.diarize.overlap`).
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trax import files
from trax.audio.pcm import SAMPLE_RATE, Pcm
from trax.diarize.powerset import classes, who_talks
from trax.errors import Cancelled, ModelError
from trax.models.model import Model
from trax.models.network import Network

#: Seconds between the beginnings of two windows, as nearly as frames allow: each instant is heard in four of them.
HOP: Final = 2.5
#: Windows that go through the network at once.
BATCH: Final = 4


@dataclass(frozen=True, slots=True, eq=False)
class Segmentation:
    """Who talks in each frame of each window.

    `active` (windows, frames, local speakers) bool. Window w begins with frame `w * hop` of the recording, and frame i of the recording
    is the time from `start + i * step` to `start + (i + 1) * step`, in seconds.
    """

    active: NDArray[np.bool_]
    hop: int
    start: float
    step: float

    @property
    def frames(self) -> int:
        """How many frames of the recording the windows reach over."""
        windows, frames, _ = self.active.shape
        return (windows - 1) * self.hop + frames if windows else 0


class Segmenter:
    """A segmentation network of pyannote's kind, on no more than `threads` cores.

    Its model's settings say how it is to be read: `speakers` of a window, how many `at_once` in a powerset class (null: it scores the
    speakers one by one), `window_seconds`, `frame_step` and `frame_duration` (seconds, of its receptive field).

    Raises ModelError when the model cannot be loaded or is no segmentation.
    """

    def __init__(self, model: Model, threads: int) -> None:
        if model.kind != "segmentation" or model.engine != "pyannet":
            raise ModelError(f"{model.name} is not a segmentation that Trax can run.", file=model.path)
        try:
            settings = model.settings
            self.speakers = int(settings["speakers"])
            self._at_once = None if settings.get("at_once") is None else int(settings["at_once"])
            self.step = round(float(settings["frame_step"]) * SAMPLE_RATE)
            self.span = round(float(settings["frame_duration"]) * SAMPLE_RATE)
            self.window = round(float(settings["window_seconds"]) * SAMPLE_RATE)
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"The card of {model.name} does not say how it is to be read ({error}).", file=model.path) from error
        if not (self.speakers > 0 and self.span >= self.step > 0 and self.window > self.span):
            raise ModelError(f"The card of {model.name} tells of impossible frames or windows.", file=model.path)
        self._network = Network(model, threads)
        made = self.speakers if self._at_once is None else classes(self.speakers, self._at_once)
        takes, gives = self._network.takes, self._network.gives
        if len(takes) not in (2, 3) or (len(takes) == 3 and takes[1] not in (1, None)) or len(gives) != 3 or gives[2] not in (made, None):  # noqa: PLR2004
            what = f"{model.name} is no segmentation of {self.speakers} speakers: it makes {gives} of {takes}."
            raise ModelError(what, file=model.path)
        self._has_channels = len(takes) == 3  # noqa: PLR2004 - batch, channel, sample

    @property
    def hop(self) -> int:
        """Frames between the beginnings of two windows."""
        return max(1, round(HOP * SAMPLE_RATE / self.step))

    @property
    def frames(self) -> int:
        """Frames of a window."""
        return 1 + (self.window - self.span) // self.step

    def __call__(self, sound: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Who talks in windows of sound (b, samples): (b, frames, speakers)."""
        scores = self._network(sound[:, None] if self._has_channels else sound)
        return who_talks(scores, self.speakers, self._at_once)


def segment(
    pcm: Pcm, segmenter: Segmenter, on_progress: Callable[[float], None], is_cancelled: Callable[[], bool]
) -> Segmentation:
    """Who talks when within each window. Silence stands after the recording. Raises Cancelled when `is_cancelled` turned true."""
    stride = segmenter.hop * segmenter.step
    count = 1 + max(0, -(-(pcm.samples - segmenter.window) // stride)) if pcm.samples else 0
    active = np.zeros((count, segmenter.frames, segmenter.speakers), np.bool_)
    for first in range(0, count, BATCH):
        if is_cancelled():
            raise Cancelled("Diarization was cancelled.")
        sound = np.stack([_window(pcm, number * stride, segmenter.window) for number in range(first, min(first + BATCH, count))])
        found = segmenter(sound)
        if found.shape[1:] != active.shape[1:]:
            raise ModelError(f"The segmentation makes {found.shape[1]} frames of a window, and its card says {active.shape[1]}.")
        active[first : first + BATCH] = found
        on_progress(min(1.0, (first + BATCH) / count))
    start = (segmenter.span - segmenter.step) / 2 / SAMPLE_RATE  # half a step before the middle of the first frame
    return Segmentation(active, segmenter.hop, start, segmenter.step / SAMPLE_RATE)


def _window(pcm: Pcm, first: int, samples: int) -> NDArray[np.float32]:
    sound = np.zeros(samples, np.float32)
    inside = pcm.read_samples(first, first + samples)
    sound[: inside.size] = inside
    return sound


def save(path: Path, segmentation: Segmentation) -> None:
    """Write the artefact `segmentation.npz`: a bit for each speaker and frame, and what places them in time."""
    shape = np.array(segmentation.active.shape, np.int64)
    with files.replacing(path) as handle:
        times = np.array([segmentation.start, segmentation.step], np.float64)
        np.savez(handle, shape=shape, bits=np.packbits(segmentation.active), hop=np.int64(segmentation.hop), times=times)


def load(path: Path) -> Segmentation:
    """Read what `save` wrote. Raises ModelError when it is something else."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            windows, frames, speakers = (int(each) for each in arrays["shape"])
            packed = arrays["bits"]
            hop, (start, step) = int(arrays["hop"]), (float(each) for each in arrays["times"])
        bits = np.unpackbits(packed)[: windows * frames * speakers]
        active = bits.astype(np.bool_).reshape(windows, frames, speakers)
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise ModelError(f"The segmentation cannot be read: {error}.", file=str(path)) from error
    return Segmentation(active, hop, start, step)
