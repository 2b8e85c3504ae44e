"""Any recording to 16 kHz mono PCM, by FFmpeg. Meets untrusted bytes, so it runs only in the short-lived `trax.worker.decode`.

The time line is the recording's own: where the sound track starts late or leaves gaps (a video whose sound begins at second 3, a call
recorded with discontinuous transmission), silence is written, so that a transcript's times fit the pictures.

What counts as damaged: a file shorter than its container announces, a sound track that ends well before its stated duration, an error of
the container, or more than a few packets that cannot be decoded. A few bad packets, as the odd broken MP3 frame, are skipped and counted.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from io import FileIO
from typing import NoReturn

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet

from trax.audio.complete import is_duration_stated, missing_bytes
from trax.audio.formats import DECODERS, DEMUXERS, agree, container_for, has_magic
from trax.audio.mixdown import Mixdown
from trax.audio.plausible import check_coded, check_form, check_length
from trax.disk import storage_error
from trax.errors import DamagedRecording, EmptyRecording, NoAudio, RecordingTooLarge, UnsupportedRecording
from trax.transcript import SAMPLE_BYTES, SAMPLE_RATE

_READ_BYTES = 1 << 18
#: No demuxer but ours, no decoder but ours; and no protocol at all, by a name that none has: the bytes come from an open descriptor.
_OPTIONS = {"format_whitelist": DEMUXERS, "codec_whitelist": ",".join(sorted(DECODERS)), "protocol_whitelist": "none"}
_GAP_SECONDS = 0.1  # below this, time stamps are only rounded
_BAD_PACKETS = 3
_BAD_SHARE = 0.01
_SHORT_SECONDS = 1.0
_LEAST_SECONDS = 0.01  # less than a codec's frame: what a header without its sound leaves
_SHORT_SHARE = 0.005
_HEADWAY_BYTES = 1 << 24
_HEADWAY_SAMPLES = 60 * SAMPLE_RATE


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """What was decoded. `sample_rate` in Hz and `channels` as in the source; `duration` in seconds, of the PCM."""

    container: str
    codec: str
    sample_rate: int
    channels: int
    duration: float
    damaged_frames: int


class _Output:
    """Where the PCM goes: counts bytes and keeps to the limit. `longest` is the longest recording that fits, in seconds."""

    def __init__(self, descriptor: int, most_bytes: int) -> None:
        self._descriptor, self._most_bytes = descriptor, most_bytes
        self.longest = most_bytes / SAMPLE_BYTES / SAMPLE_RATE
        self.written = 0

    def write(self, data: bytes) -> None:
        """Raises RecordingTooLarge over the limit, DiskFull or StorageError when the disk refuses."""
        if self.written + len(data) > self._most_bytes:
            raise self.too_long()
        self.written += len(data)
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self._descriptor, view) :]
            except OSError as error:
                if error.errno == errno.EFBIG:
                    raise self.too_long() from error
                raise storage_error("write the decoded sound", error) from error

    def write_silence(self, seconds: float) -> None:
        if seconds > self.longest:
            raise self.too_long()
        samples = round(seconds * SAMPLE_RATE)
        while samples > 0:
            step = min(samples, SAMPLE_RATE)
            self.write(bytes(step * SAMPLE_BYTES))
            samples -= step

    def too_long(self) -> RecordingTooLarge:
        return RecordingTooLarge(f"The recording is longer than the {self.longest / 3600:.1f} hours that are allowed.")


class _Follower:
    """Tells how far the decoding is, and of every further minute of sound or 16 MB of the file."""

    def __init__(self, size: int, on_progress: Callable[[float], None], on_headway: Callable[[], None]) -> None:
        self._size, self._on_progress, self._on_headway = size, on_progress, on_headway
        self._bytes, self._samples = 0, 0

    def __call__(self, position: int, written: int) -> None:
        self._on_progress(min(1.0, position / self._size))
        if position >= self._bytes + _HEADWAY_BYTES or written >= self._samples + _HEADWAY_SAMPLES * SAMPLE_BYTES:
            # a position may leap about in a hostile file: headway is only what was never reached before
            self._bytes, self._samples = max(self._bytes, min(position, self._size)), written
            self._on_headway()


def decode(
    source: FileIO,
    out_fd: int,
    extension: str,
    output_bytes: int,
    on_progress: Callable[[float], None],
    on_headway: Callable[[], None] = lambda: None,
) -> MediaInfo:
    """Decode a regular file that is open for reading and write s16le mono 16 kHz PCM to `out_fd`. Opens nothing.

    `extension` (".mp3") says what the file claims to be; `output_bytes` is the most that is written (32,000 a second); `on_progress` is
    given fractions of the file, 0 to 1; `on_headway` is called for every further minute of sound or 16 MB of the file: by it, one can tell
    a long recording from a file that only takes time.

    Raises:
        EmptyRecording: The file has no bytes, or its sound track less than 10 ms of sound.
        UnsupportedRecording: Not a format Trax takes, or another than its extension says.
        DamagedRecording: See the head of this module.
        NoAudio: There is no sound track.
        RecordingTooLarge: It is longer than `output_bytes` allow.
        StorageError: The PCM cannot be written.
    """
    size = source.seek(0, os.SEEK_END)
    if size == 0:
        raise EmptyRecording("The file is empty.")
    expected = container_for(extension)
    output = _Output(out_fd, output_bytes)

    def read(offset: int, count: int) -> bytes:
        return os.pread(source.fileno(), count, offset)

    source.seek(0)
    try:
        opened = av.open(source, "r", container_options=_OPTIONS, metadata_errors="replace", buffer_size=_READ_BYTES, io_open=_open_nothing)
    except av.error.FFmpegError as error:
        if has_magic(read(0, 16), expected):
            raise DamagedRecording(f"The file is cut short or damaged: {expected.name} without a readable header.") from error
        raise UnsupportedRecording(f"The file is named {extension} but its content is no recording that Trax can read.") from error
    with opened:
        container = agree(extension, opened.format.name)
        if missing := missing_bytes(container, read, size):
            raise DamagedRecording(f"The file is cut short: at least {missing:,} bytes are missing at its end.")
        stream = _sound_track(opened)
        stated = _stated_seconds(stream) if is_duration_stated(container, read) else None
        if stated is not None:
            if stated > output.longest:
                raise output.too_long()
            check_length(stated, size)
        damaged = _decode_track(opened, stream, output, stated, size, _Follower(size, on_progress, on_headway))
        codec = stream.codec_context
        info = MediaInfo(
            container.name,
            codec.codec.canonical_name,
            codec.sample_rate,
            codec.layout.nb_channels,
            output.written / SAMPLE_BYTES / SAMPLE_RATE,
            damaged,
        )
    _check_complete(info, stated)
    return info


def _open_nothing(url: str, flags: int, options: dict[str, str]) -> NoReturn:
    """A demuxer wants to open what the file refers to."""
    del url, flags, options
    raise PermissionError(errno.EPERM, "A recording refers to nothing outside itself.")


def _sound_track(opened: InputContainer) -> AudioStream:
    if not opened.streams.audio:
        raise NoAudio("The file has no sound track.")
    stream = opened.streams.audio[0]
    codec = stream.codec_context
    if codec is None or codec.codec.name not in DECODERS:
        name = codec.codec.name if codec is not None else "unknown"
        raise UnsupportedRecording(f"The sound is coded in a way that Trax does not read ({name}).")
    check_form(codec.sample_rate, codec.layout.nb_channels)
    codec.thread_count = 1
    return stream


def _stated_seconds(stream: AudioStream) -> float | None:
    if stream.duration is None or stream.time_base is None or stream.duration <= 0:
        return None
    return float(stream.duration * stream.time_base)


def _decode_track(
    opened: InputContainer, stream: AudioStream, output: _Output, stated: float | None, size: int, follow: Callable[[int, int], None]
) -> int:
    """Decode one track to the output; returns the number of packets that could not be decoded."""
    origin = Fraction(opened.start_time or 0, av.time_base)
    latest = stated + _SHORT_SECONDS if stated is not None else float("inf")
    mixdown = Mixdown()
    heard = Fraction(0)  # seconds of the recording that lie behind, silence included
    decoded, coded = 0.0, 0  # seconds of sound so far, and the bytes they were coded in: gaps have none
    packets, damaged, position = 0, 0, 0
    for packet, frames in _frames(opened, stream):
        packets += 1
        coded += packet.size
        position = packet.pos or position
        damaged += frames is None
        for frame in frames or ():
            gap = _time_of(frame, origin) - heard if frame.pts is not None else Fraction(0)
            if gap >= _GAP_SECONDS and heard + gap <= latest:
                check_length(float(heard + gap), size)
                for data in mixdown.flush():
                    output.write(data)
                output.write_silence(float(gap))
                heard += gap
            for data in mixdown.push(frame):
                output.write(data)
            heard += Fraction(frame.samples, frame.sample_rate)
            decoded += frame.samples / frame.sample_rate
        check_length(decoded, coded)
        check_coded(coded, size)
        follow(position, output.written)
    for data in mixdown.flush():
        output.write(data)
    if damaged > max(_BAD_PACKETS, packets * _BAD_SHARE):
        raise DamagedRecording(f"{damaged} of the {packets} packets of sound cannot be decoded.")
    return damaged


def _time_of(frame: AudioFrame, origin: Fraction) -> Fraction:
    assert frame.pts is not None
    return frame.pts * Fraction(frame.time_base or 0) - origin


def _frames(opened: InputContainer, stream: AudioStream) -> Iterator[tuple[Packet[AudioStream], list[AudioFrame] | None]]:
    """The packets with the frames in them; None for frames where the packet is damaged."""
    position = 0
    packets = opened.demux(stream)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except av.error.FFmpegError as error:
            raise DamagedRecording(f"The container breaks off about {position:,} bytes into the file.") from error
        position = packet.pos or position
        try:
            frames = packet.decode()
        except av.error.MemoryError:
            raise
        except av.error.FFmpegError:
            yield packet, None
        else:
            yield packet, frames


def _check_complete(info: MediaInfo, stated: float | None) -> None:
    if stated is not None and info.duration < stated - max(_SHORT_SECONDS, _SHORT_SHARE * stated):
        raise DamagedRecording(f"Only {info.duration:.1f} s of the {stated:.1f} s that the file announces can be decoded.")
    if info.duration < _LEAST_SECONDS:
        if info.damaged_frames:
            raise DamagedRecording("None of the sound can be decoded.")
        raise EmptyRecording(f"The sound track is empty: it is {info.duration:.2g} s long.", advice="Record again: nothing was recorded.")
