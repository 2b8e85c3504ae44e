"""Frames of any rate, format and number of channels to 16 kHz mono samples, by FFmpeg's resampler."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import av
from av.audio.frame import AudioFrame
from av.filter import Graph

from trax.audio.plausible import check_form
from trax.errors import DamagedRecording
from trax.transcript import SAMPLE_BYTES, SAMPLE_RATE

_STEREO = 2
_MOST_CHANGES = 100  # each costs a new resampler; what is recorded keeps its form, or changes it once or twice


class Mixdown:
    """A resampler that follows changes of the source's format; `flush` before a gap, so that no sound is smeared over it.

    Where the channels are known (stereo, 5.1), FFmpeg's usual weights apply. Where more than two come without a layout, as from a
    field recorder, each may be a microphone of its own and FFmpeg's guess would drop one as a subwoofer: they get equal weights.
    """

    def __init__(self) -> None:
        self._graph: Graph | None = None
        self._source: tuple[str, str, int] | None = None
        self._changes = 0

    def push(self, frame: AudioFrame) -> Iterator[bytes]:
        """Take a frame in; yields what is ready, as signed 16-bit little-endian samples.

        Raises UnsupportedRecording or DamagedRecording for a form, or changes of it, that no recording has.
        """
        source = (frame.format.name, frame.layout.name, frame.sample_rate)
        if source != self._source:
            yield from self.flush()
            check_form(frame.sample_rate, frame.layout.nb_channels)
            self._source = source
            self._changes += 1
            if self._changes > _MOST_CHANGES:
                raise DamagedRecording("The sound changes its sample rate or channels all the time.")
        if self._graph is None:
            self._graph = _graph(frame)
        frame.pts = None  # gaps are the decoder's to fill: the resampler must only resample
        self._graph.push(frame)
        yield from self._pull(self._graph)

    def flush(self) -> Iterator[bytes]:
        """Yields what the resampler still holds; the next frame starts afresh."""
        if self._graph is not None:
            self._graph.push(None)
            yield from self._pull(self._graph)
        self._graph = None

    @staticmethod
    def _pull(graph: Graph) -> Iterator[bytes]:
        while True:
            try:
                frame = graph.pull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            assert isinstance(frame, AudioFrame)
            yield bytes(frame.planes[0])[: frame.samples * SAMPLE_BYTES]


def _graph(frame: AudioFrame) -> Graph:
    graph = Graph()
    graph.threads = 1  # the decoder may start none
    rate, layout = frame.sample_rate, frame.layout.name
    chain = [graph.add_abuffer(sample_rate=rate, format=frame.format.name, layout=layout, time_base=Fraction(1, rate))]
    channels = frame.layout.nb_channels
    if channels > _STEREO and layout == f"{channels} channels":  # FFmpeg's name for a layout it was not told
        chain.append(graph.add("pan", "mono|c0=" + "+".join(f"{1 / channels}*c{channel}" for channel in range(channels))))
    chain.append(graph.add("aresample", str(SAMPLE_RATE)))
    chain.append(graph.add("aformat", f"sample_fmts=s16:channel_layouts=mono:sample_rates={SAMPLE_RATE}"))
    chain.append(graph.add("abuffersink"))
    graph.link_nodes(*chain)
    graph.configure()
    return graph
