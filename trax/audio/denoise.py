"""Less noise behind speech, by FFmpeg's `afftdn`.

The filter works on spectra of overlapping pieces: it learns the noise floor as it goes and turns down what does not rise above it. What
it gives is what it was given a moment before, so its first samples are dropped and as many are given it at the end: the time line stays.
"""

from __future__ import annotations

from fractions import Fraction

import av
from av.audio.frame import AudioFrame
from av.filter import Graph

from trax.transcript import SAMPLE_BYTES, SAMPLE_RATE

#: What `afftdn` gives comes so many samples late: its pieces are three eightieths of a second long, and one eightieth apart.
_LATE = 2 * SAMPLE_RATE // 80
_AT_MOST = SAMPLE_RATE  # samples in one frame: what is in the graph at a time
#: The noise floor is followed, since a recording's is not known beforehand.
_OPTIONS = "track_noise=1"


class Denoiser:
    """Takes samples in, signed 16-bit little-endian mono at 16 kHz, and gives as many back: those of `push`, then of `flush`."""

    def __init__(self) -> None:
        self._graph = _graph()
        self._to_drop = _LATE * SAMPLE_BYTES

    def push(self, data: bytes) -> bytes:
        """What is ready once these samples are in."""
        frames: list[bytes] = []
        step = _AT_MOST * SAMPLE_BYTES
        for start in range(0, len(data), step):
            self._graph.push(_frame(data[start : start + step]))
            frames += self._pulled()
        return self._after_the_start(b"".join(frames))

    def flush(self) -> bytes:
        """The last samples; nothing can be pushed after them."""
        self._graph.push(_frame(bytes(_LATE * SAMPLE_BYTES)))
        self._graph.push(None)
        return self._after_the_start(b"".join(self._pulled()))

    def _after_the_start(self, data: bytes) -> bytes:
        dropped = min(self._to_drop, len(data))
        self._to_drop -= dropped
        return data[dropped:]

    def _pulled(self) -> list[bytes]:
        frames: list[bytes] = []
        while True:
            try:
                frame = self._graph.pull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return frames
            assert isinstance(frame, AudioFrame)
            frames.append(bytes(frame.planes[0])[: frame.samples * SAMPLE_BYTES])


def _frame(data: bytes) -> AudioFrame:
    frame = AudioFrame(format="s16", layout="mono", samples=len(data) // SAMPLE_BYTES)
    frame.planes[0].update(data.ljust(frame.planes[0].buffer_size, b"\0"))
    frame.sample_rate = SAMPLE_RATE
    return frame


def _graph() -> Graph:
    graph = Graph()
    graph.threads = 1  # the decoder may start none
    chain = [
        graph.add_abuffer(sample_rate=SAMPLE_RATE, format="s16", layout="mono", time_base=Fraction(1, SAMPLE_RATE)),
        graph.add("afftdn", _OPTIONS),
        graph.add("aformat", f"sample_fmts=s16:channel_layouts=mono:sample_rates={SAMPLE_RATE}"),
        graph.add("abuffersink"),
    ]
    graph.link_nodes(*chain)
    graph.configure()
    return graph
