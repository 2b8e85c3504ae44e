"""Less steady noise behind speech, by FFmpeg's `afftdn`, in a file of PCM.

The filter turns down what is not above a noise floor in the spectrum of a moment. It is told the floor, in dB below full scale: left to
find it (`track_noise`) it removed less than 1 dB of white noise. So the sound is looked through first: its pauses tell how loud the
noise is. Then it is filtered in place, a second at a time; what the filter gives is late by a constant, which is taken off.
"""

from __future__ import annotations

import itertools
import math
import os
import sys
from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from fractions import Fraction
from operator import mul

import av
from av.audio.frame import AudioFrame
from av.filter import Graph

from trax.disk import storage_error
from trax.transcript import SAMPLE_BYTES, SAMPLE_RATE

_PIECE = SAMPLE_RATE  # samples in hand at a time
#: What `afftdn` gives comes so many samples late: its frames are three eightieths of a second long, and one eightieth apart.
_LATE = 2 * SAMPLE_RATE // 80

_LOOK = SAMPLE_RATE // 50  # samples; loud or not is asked of a fiftieth of a second
_LOOK_EVERY = 5  # of them one is looked at
_PAUSES = 0.1  # the share of the sound that is taken for pauses: conversations have more, and speech without any has little noise to lose
_FULL_SCALE = 32768.0
_SILENT = 1.0  # of 32768: below, nothing was recorded
_ABOVE = 3.0  # dB: the floor is set a little higher than the mean level of the noise, which goes up and down
_LEAST_FLOOR, _MOST_FLOOR = -80.0, -20.0  # dB; what the filter takes
_REDUCTION = 12.0  # dB


def reduce_noise(descriptor: int, on_minute: Callable[[], None]) -> None:
    """Rewrite a file of PCM (signed 16-bit little-endian mono at 16 kHz), open for reading and writing, with less noise.

    It stays as long as it is, and what is said in it where it is. `on_minute` is called for every minute of it, twice. Raises StorageError.
    """
    floor = noise_floor(_pieces(descriptor, on_minute))
    if floor is None:
        return
    denoiser = Denoiser(floor)
    end = 0
    for piece in _pieces(descriptor, on_minute):  # what is written lies behind what was read: the filter holds some back
        end = _write(descriptor, denoiser.push(piece), end)
    _write(descriptor, denoiser.flush(), end)


def noise_floor(pieces: Iterator[bytes]) -> float | None:
    """The level of what is heard in pauses, in dB below full scale; None where there is no sound at all."""
    levels = Counter[int]()
    for piece in pieces:
        samples = array("h", piece)
        if sys.byteorder == "big":
            samples.byteswap()
        for start in range(0, len(samples) - _LOOK + 1, _LOOK * _LOOK_EVERY):
            look = samples[start : start + _LOOK]
            level = math.sqrt(sum(map(mul, look, look)) / _LOOK)
            if level >= _SILENT:
                levels[round(20 * math.log10(level / _FULL_SCALE))] += 1
    left = levels.total() * _PAUSES
    for level in sorted(levels):
        left -= levels[level]
        if left <= 0:
            return float(level)
    return None


class Denoiser:
    """Takes samples in, and gives as many back: those of `push`, then of `flush`. `floor` is the noise in dB below full scale."""

    def __init__(self, floor: float) -> None:
        self._graph = _graph(min(max(floor + _ABOVE, _LEAST_FLOOR), _MOST_FLOOR))
        self._to_drop = _LATE * SAMPLE_BYTES

    def push(self, data: bytes) -> bytes:
        """What is ready once these samples are in."""
        if not data:
            return b""
        self._graph.push(_frame(data))
        return self._after_the_start(b"".join(self._pulled()))

    def flush(self) -> bytes:
        """The last samples; nothing can be pushed after them."""
        self._graph.push(_frame(bytes(_LATE * SAMPLE_BYTES)))
        self._graph.push(None)
        return self._after_the_start(b"".join(self._pulled()))

    def _after_the_start(self, data: bytes) -> bytes:
        dropped = min(self._to_drop, len(data))
        self._to_drop -= dropped
        return data[dropped:]

    def _pulled(self) -> Iterator[bytes]:
        while True:
            try:
                frame = self._graph.pull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            assert isinstance(frame, AudioFrame)
            yield bytes(frame.planes[0])[: frame.samples * SAMPLE_BYTES]


def _pieces(descriptor: int, on_minute: Callable[[], None]) -> Iterator[bytes]:
    offset = 0
    for count in itertools.count(1):
        try:
            piece = os.pread(descriptor, _PIECE * SAMPLE_BYTES, offset)
        except OSError as error:
            raise storage_error("read the decoded sound", error) from error
        if not piece:
            return
        offset += len(piece)
        yield piece
        if count % 60 == 0:
            on_minute()


def _write(descriptor: int, data: bytes, offset: int) -> int:
    """Returns where it ends. Raises StorageError."""
    view = memoryview(data)
    try:
        os.lseek(descriptor, offset, os.SEEK_SET)  # pwrite is not among the calls that the decode child is left with
        while view:
            view = view[os.write(descriptor, view) :]
    except OSError as error:
        raise storage_error("write the decoded sound", error) from error
    return offset + len(data)


def _frame(data: bytes) -> AudioFrame:
    frame = AudioFrame(format="s16", layout="mono", samples=len(data) // SAMPLE_BYTES)
    frame.planes[0].update(data.ljust(frame.planes[0].buffer_size, b"\0"))
    frame.sample_rate = SAMPLE_RATE
    return frame


def _graph(floor: float) -> Graph:
    graph = Graph()
    graph.threads = 1  # the decode child may start none
    chain = [
        graph.add_abuffer(sample_rate=SAMPLE_RATE, format="s16", layout="mono", time_base=Fraction(1, SAMPLE_RATE)),
        graph.add("afftdn", f"noise_reduction={_REDUCTION}:noise_floor={floor}"),
        graph.add("aformat", f"sample_fmts=s16:channel_layouts=mono:sample_rates={SAMPLE_RATE}"),
        graph.add("abuffersink"),
    ]
    graph.link_nodes(*chain)
    graph.configure()
    return graph
