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
from trax.diarize.features import BANDS, HOP, SAMPLE_RATE, WINDOW, gain, mel_frames
from trax.diarize.noise import without_noise
from trax.diarize.windows import LENGTH, plan_windows
from trax.errors import Cancelled, ModelError
from trax.models.model import Model
from trax.transcript import Span

#: Windows that go through the network at once: more is no faster on a core, and takes more memory.
BATCH: Final = 16

_FRAME_SECONDS: Final = HOP / SAMPLE_RATE
_FRAMES: Final = round(LENGTH / _FRAME_SECONDS)
_BLOCK_FRAMES: Final = 1000


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
    mels = _MelReader(pcm)
    vectors = np.empty((len(windows), encode.dimensions), np.float32)
    for first in range(0, len(windows), BATCH):
        if is_cancelled():
            raise Cancelled("Diarization was cancelled.")
        batch = np.stack([mels.window(start, end) for start, end in windows[first : first + BATCH]])
        vectors[first : first + BATCH] = encode(batch)
        on_progress(min(1.0, (first + BATCH) / len(windows)))
    return Embeddings(windows, vectors)


class Encoder:
    """The network: mel frames (b, 160, 40) to embeddings (b, dimensions), on no more than `threads` cores.

    Raises ModelError when the model cannot be loaded or is not a speaker embedding.
    """

    def __init__(self, model: Model, threads: int) -> None:
        import onnxruntime

        if model.path is None or model.engine != "ge2e":
            raise ModelError(f"{model.name} is not a speaker embedding that Trax can run.", file=model.path)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # waiting threads would burn the other lane's cores
        options.enable_cpu_mem_arena = False  # an arena keeps the most it ever needed
        try:
            self._session = onnxruntime.InferenceSession(model.path, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime raises classes of its own that share no other root
            raise ModelError(f"The speaker embedding {model.name} does not load: {error}.", file=model.path) from error
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        if [put.name for put in inputs] != ["mel"] or [put.name for put in outputs] != ["embedding"]:
            raise ModelError(f"{model.name} does not read mel frames as GE2E does.", file=model.path)
        self.dimensions = int(outputs[0].shape[1])

    def __call__(self, mel: NDArray[np.float32]) -> NDArray[np.float32]:
        """The embeddings of a batch of windows."""
        return np.asarray(self._session.run(["embedding"], {"mel": mel})[0], dtype=np.float32)


class _MelReader:
    """Mel frames of a recording, computed in blocks of ten seconds of which the last two are kept: windows overlap and come in order."""

    def __init__(self, pcm: Pcm) -> None:
        self._pcm = pcm
        self._blocks: dict[int, tuple[NDArray[np.float32], NDArray[np.float32]]] = {}

    def window(self, start: float, end: float) -> NDArray[np.float32]:
        """The frames from `start` to `end` (seconds), raised to the level of the training data: shape (160, 40).

        A shorter window is said again until it is long enough: silence instead would look like a part of the voice.
        """
        first = round(float(start) / _FRAME_SECONDS)
        last = max(round(float(end) / _FRAME_SECONDS), first + 1)
        parts = [self._block(number) for number in range(first // _BLOCK_FRAMES, (last - 1) // _BLOCK_FRAMES + 1)]
        base = first // _BLOCK_FRAMES * _BLOCK_FRAMES
        mel = np.concatenate([part[0] for part in parts])[first - base : last - base]
        power = np.concatenate([part[1] for part in parts])[first - base : last - base]
        factor = gain(float(np.sqrt(power.mean())))
        return np.resize(mel * np.float32(factor * factor), (_FRAMES, BANDS))

    def _block(self, number: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The mel frames of a block, less its noise, and the mean square of the sound that each frame advances over."""
        if number not in self._blocks:
            samples = self._samples(number)
            middle = samples[(WINDOW - HOP) // 2 :][: _BLOCK_FRAMES * HOP].reshape(_BLOCK_FRAMES, HOP)
            self._blocks = {key: block for key, block in self._blocks.items() if key == number - 1}
            power = np.mean(middle**2, axis=1)
            self._blocks[number] = without_noise(mel_frames(samples), power), power
        return self._blocks[number]

    def _samples(self, number: int) -> NDArray[np.float32]:
        """The samples that the frames of a block see; silence stands before and after the recording."""
        first = number * _BLOCK_FRAMES * HOP - WINDOW // 2
        last = first + (_BLOCK_FRAMES - 1) * HOP + WINDOW
        samples = np.zeros(last - first, np.float32)
        inside = self._pcm.read_samples(first, last)
        samples[max(0, -first) : max(0, -first) + inside.size] = inside
        return samples


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
