from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from trax.intake.names import LONGEST_NAME, extension_of, is_ignored, output_name, printable, unique

# What Linux allows as one part of a path: any bytes but NUL and the slash, 1 to 255 of them, neither `.` nor `..`.
parts = (
    st.binary(min_size=1, max_size=255)
    .map(lambda raw: os.fsdecode(raw.replace(b"\0", b"\n").replace(b"/", b"\xff")))
    .filter(lambda name: name not in {".", ".."})
)
paths = st.lists(parts, min_size=1, max_size=5).map("/".join)
invisible = st.sampled_from("\u202e\u2066\u200f\ufeff\n\r\x1b\x7f\x85\u2028")


class TestIgnored:
    @pytest.mark.parametrize(
        "name",
        [
            *("talk.mp3.part", "talk.tmp", "TALK.TMP", ".talk.mp3.a1B2c3", "talk.mp3~", "talk.mp3.crdownload", "~$talk.mp3"),
            *(".syncthing.talk.mp3.tmp", "~syncthing~talk.mp3", "@eaDir", ".stfolder", "Thumbs.db", "#recycle", ".trax", ".DS_Store"),
        ],
    )
    def test_what_is_no_recording(self, name: str) -> None:
        assert is_ignored(name)

    @pytest.mark.parametrize("name", ["talk.mp3", "talk", "-rf.mp3", "part.mp3", "notes.txt", "a~b.wav", "\udcff.mp3", "trax"])
    def test_what_gets_an_answer(self, name: str) -> None:
        assert not is_ignored(name)


class TestOutputName:
    @pytest.mark.parametrize(
        ("relative", "expected"),
        [
            ("talk.mp3", "talk"),
            ("2026/Nov/talk.v2.mp3", "2026/Nov/talk.v2"),
            ("Gespräch Köln.wav", "Gespräch Köln"),
            ("a\nb.mp3", "a%0Ab"),
            ("caf\udce9.mp3", "caf%E9"),
            ("abc\u202e3pm.mp3", "abc%E2%80%AE3pm"),
            ("-rf.mp3", "_rf"),
            ("...mp3", "__"),
            ("../talk.mp3", "__/talk"),
            ("/talk.mp3", "_/talk"),
            (" .mp3", "unnamed"),
            ("talk.error.mp3", "talk_error"),
            ("نمی\u200cخواهم.mp3", "نمی\u200cخواهم"),
        ],
    )
    def test_examples(self, relative: str, expected: str) -> None:
        assert output_name(relative) == expected

    @given(paths)
    @example("../../etc/passwd")
    @example("/".join(["\x01" * 255] * 30))
    def test_stays_inside_is_printable_and_fits(self, relative: str) -> None:
        name = output_name(relative)
        assert not name.startswith("/")
        for part in name.split("/"):
            assert part not in {"", ".", ".."}
            assert part[0] not in ".-"
            assert len(f"{part} (99).error.json".encode()) <= 255
        assert printable(name).replace("\\\\", "\\") == name
        assert not name.endswith(".error")
        root = Path("/outbox")
        assert (root / name).resolve().is_relative_to(root)
        assert len(name.encode()) <= 1024

    def test_what_is_not_assigned_or_private_is_written_out(self) -> None:
        assert output_name("a\u05f5\uf022b.mp3") == "a%D7%B5%EF%80%A2b"

    @given(st.text(min_size=1, max_size=60).filter(lambda text: "/" not in text))
    def test_long_names_are_cut_between_characters(self, text: str) -> None:
        name = output_name(text * 20 + ".mp3")
        assert len(name.encode()) <= LONGEST_NAME
        assert name == name.encode().decode()


class TestUnique:
    @given(st.sets(st.sampled_from(["talk", "talk (2)", "talk (3)", "talk (4)", "other"])))
    def test_finds_a_free_name(self, taken: set[str]) -> None:
        found = unique("talk", taken.__contains__)
        assert found not in taken
        assert found == next(name for name in ["talk", "talk (2)", "talk (3)", "talk (4)", "talk (5)"] if name not in taken)


class TestPrintable:
    @given(st.text(invisible) | paths)
    def test_never_moves_a_terminal(self, name: str) -> None:
        shown = printable(name)
        shown.encode()
        assert all(character.isprintable() or character in "\u200c\u200d" or character.isspace() for character in shown)
        assert not set(shown) & set("\n\r\x1b\u202e\u2028\x85")

    def test_examples(self) -> None:
        assert printable("a\nb\\\udcff\u202e é") == "a\\nb\\\\\\xff\\u202e é"


@given(parts)
def test_extensions_are_lower_case(name: str) -> None:
    assert extension_of(f"{name}.MP3") == ".mp3"
    assert extension_of("README") == ""
    assert PurePosixPath("a.Mp3").suffix.lower() == extension_of("a.Mp3")


@pytest.mark.parametrize(
    ("dropped", "name"),
    [
        ("talk.json/a.mp3", "talk_json/a"),
        ("talk.Error.JSON/a.mp3", "talk.Error_JSON/a"),
        ("json/a.mp3", "json/a"),
        (".srt/a.mp3", "_srt/a"),
    ],
)
def test_a_folder_never_lies_where_a_result_belongs(dropped: str, name: str) -> None:
    assert output_name(dropped) == name
