"""What has come stays, and is continued only with more of the same."""

from __future__ import annotations

import hashlib

import pytest
from file_server import arrived

from trax.errors import StorageError
from trax.models.part import Origin, Part

ORIGIN = Origin("http://example.org/f", '"v"', 6)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "downloads" / "f"


def test_it_is_taken_up_where_it_ended(path):
    part = Part(path)
    part.begin(ORIGIN)
    part.extend([b"ab", b"c"])
    again = Part(path)
    assert (again.origin, again.length, again.is_whole) == (ORIGIN, 3, False)
    assert again.sha256 == hashlib.sha256(b"abc").hexdigest()
    again.extend([b"def"])
    arrived(Part(path), b"abcdef")


def test_what_came_before_something_went_wrong_stays(path):
    def breaking():
        yield b"abc"
        raise KeyboardInterrupt

    part = Part(path)
    part.begin(ORIGIN)
    with pytest.raises(KeyboardInterrupt):
        part.extend(breaking())
    assert (Part(path).length, path.read_bytes()) == (3, b"abc")


@pytest.mark.parametrize("note", [None, b"", b"{", b"[]", b'{"address": 1, "validator": "", "size": 6}', b"\xff", b"[" * 50_000])
def test_a_part_of_nobody_knows_what_begins_anew(path, note):
    part = Part(path)
    part.begin(ORIGIN)
    part.extend([b"abc"])
    origin = path.with_name("f.origin")
    origin.unlink() if note is None else origin.write_bytes(note)
    again = Part(path)
    assert (again.origin, again.length) == (None, 0)
    again.begin(ORIGIN)
    again.extend([b"uvwxyz"])
    arrived(again, b"uvwxyz")


def test_a_length_that_nobody_told_is_told_at_the_end(path):
    part = Part(path)
    part.begin(Origin("http://example.org/f", "", None))
    part.extend([b"abc"])
    assert not Part(path).is_whole
    part.end()
    arrived(Part(path), b"abc")


def test_what_is_dropped_is_gone(path):
    part = Part(path)
    part.discard()
    part.begin(ORIGIN)
    part.extend([b"abc"])
    part.discard()
    assert (part.length, part.origin, list(path.parent.iterdir())) == (0, None, [])


def test_a_link_is_not_written_through(path, tmp_path):
    aim = tmp_path / "aim"
    aim.write_bytes(b"precious")
    part = Part(path)
    part.begin(ORIGIN)
    path.symlink_to(aim)
    with pytest.raises(StorageError):
        Part(path).extend([b"abc"])
    assert aim.read_bytes() == b"precious"
