"""The decoded recording: 16 kHz mono samples in a file, read a piece at a time so that memory does not grow with duration."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from trax.errors import StorageError
from trax.transcript import SAMPLE_BYTES, SAMPLE_RATE

__all__ = ["SAMPLE_BYTES", "SAMPLE_RATE", "Pcm"]

_FULL_SCALE = np.float32(32_768)


class Pcm:
    """A file of signed 16-bit little-endian mono samples at 16 kHz, without a header (the artefact `pcm.raw`).

    Threads may read from one `Pcm` at the same time. Raises StorageError when the file cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise StorageError(f"Could not read the decoded sound: {error.strerror}.", file=str(path)) from error
        self.samples = os.fstat(self._descriptor).st_size // SAMPLE_BYTES

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return self.samples / SAMPLE_RATE

    def read(self, start_s: float, end_s: float) -> NDArray[np.float32]:
        """The samples from `start_s` to `end_s` (seconds), shape (n,), in [-1, 1]; what lies outside the recording is left out."""
        return self.read_samples(round(start_s * SAMPLE_RATE), round(end_s * SAMPLE_RATE))

    def read_samples(self, first: int, last: int) -> NDArray[np.float32]:
        """Samples `first` up to, not including, `last`, shape (n,), in [-1, 1]; what lies outside the recording is left out."""
        first = min(max(first, 0), self.samples)
        last = min(max(last, first), self.samples)
        data = b""
        while missing := (last - first) * SAMPLE_BYTES - len(data):
            piece = os.pread(self._descriptor, missing, first * SAMPLE_BYTES + len(data))
            if not piece:
                raise StorageError("The decoded sound became shorter while it was read.", file=str(self.path))
            data = data + piece if data else piece
        return np.frombuffer(data, dtype="<i2").astype(np.float32) / _FULL_SCALE

    def blocks(self, seconds: float) -> Iterator[NDArray[np.float32]]:
        """The whole recording in consecutive pieces of `seconds`, each shape (n,); the last may be shorter."""
        step = max(1, round(seconds * SAMPLE_RATE))
        for first in range(0, self.samples, step):
            yield self.read_samples(first, first + step)

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
