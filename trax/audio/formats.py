"""Which containers and codecs Trax takes, and whether a file's content agrees with its extension. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from trax.errors import UnsupportedRecording


@dataclass(frozen=True, slots=True)
class Container:
    """A container format. `demuxer` is its name in FFmpeg; `magic` lists (offset, bytes), one of which opens every such file."""

    name: str
    demuxer: str
    extensions: tuple[str, ...]
    magic: tuple[tuple[int, bytes], ...]


_MP3_SYNC = tuple((0, bytes((0xFF, second))) for second in range(0xE2, 0x100))
_ADTS_SYNC = tuple((0, bytes((0xFF, second))) for second in (0xF0, 0xF1, 0xF8, 0xF9))
_BOXES = tuple((4, box) for box in (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide"))

WAV = Container("wav", "wav", (".wav",), ((0, b"RIFF"), (0, b"RF64")))
MP3 = Container("mp3", "mp3", (".mp3",), ((0, b"ID3"), *_MP3_SYNC))
FLAC = Container("flac", "flac", (".flac",), ((0, b"fLaC"),))
OGG = Container("ogg", "ogg", (".ogg", ".opus"), ((0, b"OggS"),))
MP4 = Container("mp4", "mov,mp4,m4a,3gp,3g2,mj2", (".mp4", ".m4a", ".mov"), _BOXES)
MATROSKA = Container("matroska", "matroska,webm", (".mkv", ".webm"), ((0, b"\x1a\x45\xdf\xa3"),))
ADTS = Container("adts", "aac", (".aac",), ((0, b"ID3"), *_ADTS_SYNC))

CONTAINERS = (WAV, MP3, FLAC, OGG, MP4, MATROSKA, ADTS)

#: FFmpeg's demuxers that may open a recording: no playlists, no lists of other files, nothing that reaches the network.
DEMUXERS = ",".join(container.demuxer for container in CONTAINERS)

#: FFmpeg's decoders that may see a recording's bytes. Video decoders are left out: pictures are never looked at.
DECODERS = frozenset(
    {"aac", "ac3", "alac", "amrnb", "amrwb", "eac3", "flac", "libopus", "mp1float", "mp2float", "mp3", "mp3float", "opus", "vorbis"}
    | {"adpcm_ima_qt", "adpcm_ima_wav", "adpcm_ms", "gsm_ms", "speex", "wmav1", "wmav2", "wmapro", "pcm_alaw", "pcm_mulaw", "pcm_f64le"}
    | {"pcm_s8", "pcm_u8", "pcm_s16be", "pcm_s16le", "pcm_s24be", "pcm_s24le", "pcm_s32be", "pcm_s32le", "pcm_f32be", "pcm_f32le"}
)

_BY_EXTENSION: Mapping[str, Container] = {extension: container for container in CONTAINERS for extension in container.extensions}
_BY_DEMUXER: Mapping[str, Container] = {container.demuxer: container for container in CONTAINERS}


def container_for(extension: str) -> Container:
    """The container that files with this extension (".mp3") are in. Raises UnsupportedRecording for one that Trax does not take."""
    try:
        return _BY_EXTENSION[extension.lower()]
    except KeyError:
        raise UnsupportedRecording(f"Trax does not take {extension or 'files without an extension'}.") from None


def has_magic(head: bytes, container: Container) -> bool:
    """Whether a file that begins with `head` can be in `container` at all."""
    return any(head[offset : offset + len(magic)] == magic for offset, magic in container.magic)


def agree(extension: str, demuxer: str) -> Container:
    """The container, when what the file's content was recognised as (`demuxer`, FFmpeg's name) fits its extension.

    Raises UnsupportedRecording, saying what the file really is, when it does not.
    """
    wanted = container_for(extension)
    if demuxer == wanted.demuxer:
        return wanted
    found = _BY_DEMUXER.get(demuxer)
    if found is None:
        raise UnsupportedRecording(f"The file is named {extension} but its content is something else ({demuxer[:40]}).")
    raise UnsupportedRecording(
        f"The file is named {extension} but its content is {found.name}.",
        advice=f"Give the file its right extension ({' or '.join(found.extensions)}) and drop it again.",
    )
