"""Whether a file holds all that its container announces. Pure: reads a header here and there through a function.

FFmpeg plays a file that was cut short up to the cut and reports nothing, but half a hearing must not pass for a whole one. What can be
known depends on the container:

- WAV, MP4 and Matroska announce the length in bytes of what holds the sound: the file must reach that far (less `SLACK_BYTES`, for
  writers that count a header wrongly). Writers to a pipe announce nothing, and then nothing is known.
- Ogg: the last page must be whole.
- WAV, MP4, FLAC, and MP3 with a Xing or Info header announce a duration that the decoder must reach; see `is_duration_stated`.
- MP3 without such a header and ADTS announce nothing: a cut in them cannot be seen.
"""

from __future__ import annotations

from collections.abc import Callable

from trax.audio.formats import FLAC, MATROSKA, MP3, MP4, OGG, WAV, Container

#: `read(offset, size)`: up to `size` bytes of the file from `offset`; fewer at its end.
Read = Callable[[int, int], bytes]

SLACK_BYTES = 4096
_UNKNOWN_WAV_SIZE = 0x7FFF_F000  # sox and FFmpeg write this or more when they cannot seek back to tell the size
_MAX_HEADERS = 100_000  # enough for any real file; bounds the walk through a hostile one
_MAX_OGG_PAGE = 27 + 255 + 255 * 255
_CHUNK_HEADER = 8  # the name and length that open a RIFF chunk or an MP4 box
_SOUND_BOXES = (b"mdat", b"moov", b"moof")
_SEGMENT = b"\x18\x53\x80\x67"


def missing_bytes(container: Container, read: Read, size: int) -> int:
    """How many bytes are missing at the end of a file of `size` bytes, for certain; 0 when none are or it cannot be known."""
    if container is OGG:
        return _missing_ogg(read, size)
    ends = {WAV: _wav_end, MP4: _mp4_end, MATROSKA: _matroska_end}
    missing = ends[container](read, size) - size if container in ends else 0
    return missing if missing > SLACK_BYTES else 0


def is_duration_stated(container: Container, read: Read) -> bool:
    """Whether the duration that FFmpeg reports is one that the file states, not FFmpeg's estimate from a bit rate."""
    if container is MP3:
        first = _after_id3(read)
        frame = read(first, 4096)
        return b"Xing" in frame or b"Info" in frame
    return container in (WAV, MP4, FLAC)


def _wav_end(read: Read, size: int) -> int:
    offset = 12
    for _ in range(_MAX_HEADERS):
        header = read(offset, _CHUNK_HEADER)
        if len(header) < _CHUNK_HEADER or offset >= size:
            break
        length = int.from_bytes(header[4:], "little")
        if header[:4] == b"data":
            return offset + _CHUNK_HEADER + length if 0 < length < _UNKNOWN_WAV_SIZE else 0
        offset += _CHUNK_HEADER + length + length % 2
    return 0


def _mp4_end(read: Read, size: int) -> int:
    # ISO/IEC 14496-12, 4.2: size (32 bits; 1: 64 bits follow; 0: to the end of the file), then type
    offset = 0
    for _ in range(_MAX_HEADERS):
        header = read(offset, 2 * _CHUNK_HEADER)
        if len(header) < _CHUNK_HEADER or offset >= size:
            break
        length = int.from_bytes(header[:4], "big")
        if length == 1:
            length = int.from_bytes(header[_CHUNK_HEADER:], "big")
        if length < _CHUNK_HEADER:
            break
        if offset + length > size:
            return offset + length if header[4:8] in _SOUND_BOXES else 0
        offset += length
    return 0


def _matroska_end(read: Read, size: int) -> int:
    # RFC 8794, 4 and 6: a variable-size integer whose leading zeros tell its width; all ones: unknown
    del size
    head = read(0, 4096)
    width, length = _vint(head[4:])
    if not width:
        return 0
    segment = 4 + width + length
    if head[segment : segment + 4] != _SEGMENT:
        return 0
    width, length = _vint(head[segment + 4 :])
    is_unknown = length == (1 << 7 * width) - 1
    return 0 if not width or is_unknown else segment + 4 + width + length


def _vint(data: bytes) -> tuple[int, int]:
    width = 9 - data[0].bit_length() if data else 0
    if len(data) < width or not data or not data[0]:
        return 0, 0
    return width, int.from_bytes(data[:width], "big") & ((1 << 7 * width) - 1)


def _missing_ogg(read: Read, size: int) -> int:
    # RFC 3533, 6: a page is 27 bytes, a table of segment lengths, and the segments
    tail = read(max(0, size - _MAX_OGG_PAGE), _MAX_OGG_PAGE)
    page = tail.rfind(b"OggS\x00")
    if page < 0:
        return 0
    segments = tail[page + 26] if len(tail) > page + 26 else 0
    table = tail[page + 27 : page + 27 + segments]
    return max(0, page + 27 + segments + sum(table) - len(tail))


def _after_id3(read: Read) -> int:
    # ID3v2.4, 3.1: the tag's size is four bytes of seven bits
    header = 10
    tag = read(0, header)
    if tag[:3] != b"ID3":
        return 0
    length = 0
    for byte in tag[6:header]:
        length = length << 7 | byte & 0x7F
    return header + length
