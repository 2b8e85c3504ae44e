"""The parts that sound containers are made of, written by hand: a library would refuse to write what the attacks need."""

from __future__ import annotations

import struct


def box(name: bytes, *content: bytes) -> bytes:
    """An MP4 box (ISO/IEC 14496-12, 4.2)."""
    data = b"".join(content)
    return struct.pack(">I4s", 8 + len(data), name) + data


def moov(tables: bytes, *, rate: int = 16_000, length: int = 16_000, dinf: bytes | None = None, entry: bytes = b"sowt") -> bytes:
    """A movie of one sound track of 16-bit samples, mono; `tables` are those of its samples, `length` its samples by its own word."""
    matrix = struct.pack(">9I", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
    mvhd = box(b"mvhd", struct.pack(">IIIIIIH10x", 0, 0, 0, rate, length, 1 << 16, 1 << 8), matrix, bytes(24), struct.pack(">I", 2))
    tkhd = box(b"tkhd", struct.pack(">IIIIII8xHHHH", 7, 0, 0, 1, 0, length, 0, 0, 1 << 8, 0), matrix, bytes(8))
    mdhd = box(b"mdhd", struct.pack(">IIIIIHH", 0, 0, 0, rate, length, 0x55C4, 0))
    hdlr = box(b"hdlr", b"\0\0\0\0mhlrsoun", bytes(12), b"\0")
    url_here = box(b"dref", struct.pack(">II", 0, 1), box(b"url ", b"\0\0\0\1"))
    sound = struct.pack(">6xHHHIHHHHI", 1, 0, 0, 0, 1, 16, 0, 0, (rate & 0xFFFF) << 16)
    stsd = box(b"stsd", struct.pack(">II", 0, 1), box(entry, sound))
    stbl = box(b"stbl", stsd, tables)
    minf = box(b"minf", box(b"smhd", bytes(8)), box(b"dinf", dinf if dinf is not None else url_here), stbl)
    return box(b"moov", mvhd, box(b"trak", tkhd, box(b"mdia", mdhd, hdlr, minf)))


def tables_of(samples: int, offsets: list[int], *, chunk: int, size: int = 2) -> bytes:
    """`samples` of `size` bytes in chunks of `chunk`, which lie at `offsets`."""
    return b"".join(
        (
            box(b"stts", struct.pack(">IIII", 0, 1, samples, 1)),
            box(b"stsc", struct.pack(">IIIII", 0, 1, 1, chunk, 1)),
            box(b"stsz", struct.pack(">III", 0, size, samples)),
            box(b"stco", struct.pack(f">II{len(offsets)}I", 0, len(offsets), *offsets)),
        )
    )


#: What a QuickTime file begins with.
FTYP = box(b"ftyp", b"qt  \0\0\0\0qt  ")


def element(name: bytes, content: bytes) -> bytes:
    """An EBML element (RFC 8794) with a length of eight bytes."""
    return name + struct.pack(">Q", 1 << 56 | len(content)) + content


EBML = element(b"\x1a\x45\xdf\xa3", element(b"\x42\x82", b"matroska") + element(b"\x42\x87", b"\4") + element(b"\x42\x85", b"\2"))
SEGMENT, INFO, TRACKS, CLUSTER = b"\x18\x53\x80\x67", b"\x15\x49\xa9\x66", b"\x16\x54\xae\x6b", b"\x1f\x43\xb6\x75"


def matroska(info: bytes, tracks: bytes, *clusters: bytes) -> bytes:
    """A Matroska file; `info` and `tracks` are the contents of those elements."""
    segment = element(INFO, element(b"\x2a\xd7\xb1", b"\x0f\x42\x40") + info) + element(TRACKS, tracks) + b"".join(clusters)
    return EBML + element(SEGMENT, segment)


def matroska_track(codec: bytes = b"A_PCM/INT/LIT", rate: float = 16_000.0, channels: int = 1) -> bytes:
    """An entry for one sound track."""
    audio = element(b"\xb5", struct.pack(">d", rate)) + element(b"\x9f", struct.pack(">I", channels)) + element(b"\x62\x64", b"\x10")
    head = element(b"\xd7", b"\1") + element(b"\x73\xc5", b"\1") + element(b"\x83", b"\2")
    return element(b"\xae", head + element(b"\x86", codec) + element(b"\xe1", audio))


def cluster(milliseconds: int, data: bytes) -> bytes:
    """A cluster with one block for track 1 at a time."""
    return element(CLUSTER, element(b"\xe7", struct.pack(">Q", milliseconds)) + element(b"\xa3", b"\x81\0\0\x80" + data))


def id3(frame: bytes, content: bytes, announced: int | None = None) -> bytes:
    """An ID3v2.3 tag of one frame; `announced` is its length by its own word."""
    body = frame + struct.pack(">I", len(content)) + b"\0\0" + content
    size = announced if announced is not None else len(body)
    return b"ID3\3\0\0" + bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0)) + body


def wav(rate: int, channels: int, bits: int, data: bytes, announced: int | None = None, form: int = 1) -> bytes:
    """A WAV file; `announced` is the length of its data by its own word."""
    align = channels * bits // 8
    header = struct.pack("<HHIIHH", form, channels & 0xFFFF, rate, rate * align & 0xFFFF_FFFF, align & 0xFFFF, bits)
    size = len(data) if announced is None else announced
    riff = b"RIFF" + struct.pack("<I", min(36 + size, 0xFFFF_FFFF))
    return riff + b"WAVEfmt " + struct.pack("<I", 16) + header + b"data" + struct.pack("<I", size) + data


def flac_of_silence(seconds: int) -> bytes:
    """FLAC at 8 kHz in the largest blocks there are, each coded as one constant: 12 bytes for 8 seconds (RFC 9639)."""
    rate, block = 8000, 65_535
    info = struct.pack(">HH", 16, block) + bytes(6) + struct.pack(">Q", rate << 44 | 15 << 36) + bytes(16)
    frames = (_flac_frame(number, block) for number in range(seconds * rate // block))
    return b"fLaC\x80\0\0\x22" + info + b"".join(frames)


def _flac_frame(number: int, block: int) -> bytes:
    header = b"\xff\xf8\x70\x08" + chr(number).encode("utf-8", "surrogatepass") + struct.pack(">H", block - 1)
    frame = header + struct.pack(">B", _crc(header, 8, 0x07)) + bytes(3)
    return frame + struct.pack(">H", _crc(frame, 16, 0x8005))


def _crc(data: bytes, bits: int, polynomial: int) -> int:
    rest, top = 0, 1 << bits - 1
    for byte in data:
        rest ^= byte << bits - 8
        for _ in range(8):
            rest = (rest << 1 ^ (polynomial if rest & top else 0)) & (1 << bits) - 1
    return rest
