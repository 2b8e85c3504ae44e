from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trax.audio.complete import SLACK_BYTES, is_duration_stated, missing_bytes
from trax.audio.formats import CONTAINERS, DEMUXERS, FLAC, MATROSKA, MP3, MP4, OGG, WAV, agree, container_for, has_magic
from trax.config import KNOWN_FORMATS
from trax.errors import UnsupportedRecording


def reader(data: bytes):
    return lambda offset, size: data[offset : offset + size]


def test_every_format_of_the_settings_has_a_container():
    for extension in KNOWN_FORMATS:
        assert extension in container_for(extension).extensions
    assert sorted(e for container in CONTAINERS for e in container.extensions) == sorted(KNOWN_FORMATS)


def test_extensions_are_compared_without_case():
    assert container_for(".WAV") is WAV


@pytest.mark.parametrize("extension", ["", ".exe", "mp3", ".m3u8"])
def test_other_extensions_are_refused(extension):
    with pytest.raises(UnsupportedRecording):
        container_for(extension)


def test_content_and_extension_agree_or_not():
    for container in CONTAINERS:
        for extension in container.extensions:
            assert agree(extension, container.demuxer) is container
    with pytest.raises(UnsupportedRecording, match=r"named \.m4a but its content is wav"):
        agree(".m4a", "wav")
    with pytest.raises(UnsupportedRecording, match="hls"):
        agree(".mp3", "hls")


def test_no_playlist_is_allowed():
    assert not {"hls", "concat", "dash", "sdp", "tty", "image2"} & set(DEMUXERS.split(","))


def test_magic():
    assert has_magic(b"\x00\x00\x00\x20ftypM4A ", MP4)
    assert has_magic(b"ID3\x04", MP3)
    assert has_magic(b"\xff\xfb\x90", MP3)
    assert not has_magic(b"The quick", MP3)
    assert not has_magic(b"", WAV)


@given(st.binary(max_size=300), st.sampled_from(CONTAINERS))
def test_any_bytes_are_read_without_harm(data, container):
    for prefix in (b"", b"RIFF\x00\x00\x00\x00WAVE", b"OggS\x00", b"\x1a\x45\xdf\xa3", b"ID3\x04\x00\x00"):
        content = prefix + data
        assert missing_bytes(container, reader(content), len(content)) >= 0
        assert is_duration_stated(container, reader(content)) in {True, False}


@given(st.integers(0, 60_000), st.integers(0, 60_000))
def test_what_a_wav_file_lacks(announced, present):
    data = b"RIFF\x00\x00\x00\x00WAVEfmt \x10\x00\x00\x00" + bytes(16) + b"data" + announced.to_bytes(4, "little") + bytes(present)
    lacks = max(0, announced - present)
    assert missing_bytes(WAV, reader(data), len(data)) == (lacks if lacks > SLACK_BYTES else 0)


@given(st.integers(8, 90_000), st.integers(0, 30_000), st.booleans())
def test_what_an_mp4_file_lacks(announced, present, is_wide):
    size = (1).to_bytes(4, "big") + b"mdat" + (announced + 8).to_bytes(8, "big") if is_wide else announced.to_bytes(4, "big") + b"mdat"
    data = (16).to_bytes(4, "big") + b"ftypM4A \x00\x00\x00\x00" + size + bytes(present)
    lacks = announced - 8 - present
    assert missing_bytes(MP4, reader(data), len(data)) == (lacks if lacks > SLACK_BYTES else 0)


def test_what_a_matroska_file_lacks():
    head = b"\x1a\x45\xdf\xa3\x84abcd\x18\x53\x80\x67"
    assert missing_bytes(MATROSKA, reader(head), 100) == 0
    assert missing_bytes(MATROSKA, reader(head + b"\x01\xff\xff\xff\xff\xff\xff\xff" + bytes(50)), 76) == 0  # unknown: a live recording
    assert missing_bytes(MATROSKA, reader(head + b"\x10\x01\x00\x00" + bytes(1000)), 1017) == 0x10000 - 1000


def test_what_an_ogg_file_lacks():
    page = b"OggS\x00\x04" + bytes(20) + b"\x02\xff\x10" + bytes(0xFF + 0x10)
    assert missing_bytes(OGG, reader(page), len(page)) == 0
    assert missing_bytes(OGG, reader(page * 2), 2 * len(page)) == 0
    for cut in range(28, len(page)):
        assert missing_bytes(OGG, reader(page + page[:cut]), len(page) + cut) > 0


def test_whose_duration_can_be_believed():
    assert is_duration_stated(FLAC, reader(b""))
    assert is_duration_stated(MP3, reader(b"\xff\xfb\x90\x64" + bytes(32) + b"Xing"))
    tag = b"ID3\x04\x00\x00\x00\x00\x40\x00" + bytes(0x40 << 7)
    assert is_duration_stated(MP3, reader(tag + b"\xff\xfb\x90\x64" + bytes(32) + b"Info"))
    assert not is_duration_stated(MP3, reader(b"\xff\xfb\x90\x64" + bytes(400)))
    assert not is_duration_stated(OGG, reader(b""))
