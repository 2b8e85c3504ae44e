"""Who is enrolled, on the disk."""

from __future__ import annotations

import math
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trax.errors import SpeakerError
from trax.jobs import speakers
from trax.jobs.folders import StateFolders
from trax.jobs.speakers import Clip, Print, Profile, checked_name, enrolled, read, write

GE2E, OTHER = "ge2e aa", "resnet bb"


def profile(**seconds: float) -> Profile:
    """Anna with a clip of so many seconds each: the first sounds like (1, 0), the second like (0, 1)."""
    vectors = [(1.0, 0.0), (0.0, 1.0)]
    return Profile("Anna", {name: Clip(1, 1, prints={GE2E: Print(each, vectors[at])}) for at, (name, each) in enumerate(seconds.items())})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folders = StateFolders(tmp_path / "state")
    folders.make()
    return folders.speakers


def put(folder: Path, name: str, content: bytes = b"sound") -> None:
    (folder / "Anna").mkdir(exist_ok=True)
    (folder / "Anna" / name).write_bytes(content)


def learnt(folder: Path) -> Profile:
    """What lies there, each clip with a print, written down."""
    there = read(folder, "Anna")
    clips = {name: Clip(clip.size, clip.modified, prints={GE2E: Print(6.0, (1.0, 0.0))}) for name, clip in there.clips.items()}
    write(folder, Profile("Anna", clips))
    return read(folder, "Anna")


def test_the_folder_is_closed_to_all_others_even_where_it_was_open(tmp_path: Path) -> None:
    folders = StateFolders(tmp_path / "state")
    folders.speakers.mkdir(parents=True)
    folders.speakers.chmod(0o775)
    folders.make()
    put(folders.speakers, "a.wav")
    learnt(folders.speakers)
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (folders.speakers, folders.speakers / "Anna" / speakers.PROFILE_FILE)]
    assert modes == [0o700, 0o600]


def test_what_is_known_of_a_clip_holds_until_it_is_changed_or_taken_away(folder: Path) -> None:
    for name in ("a.wav", "b.mp3", "notes.txt", ".hidden.wav"):
        put(folder, name)
    assert read(folder, "Anna").lacking(GE2E) == ("a.wav", "b.mp3")
    assert learnt(folder).lacking(GE2E) == ()
    assert read(folder, "Anna").lacking(OTHER) == ("a.wav", "b.mp3")
    put(folder, "a.wav", b"another")
    assert read(folder, "Anna").lacking(GE2E) == ("a.wav",)
    (folder / "Anna" / "b.mp3").unlink()
    assert list(read(folder, "Anna").clips) == ["a.wav"]


def test_a_clip_that_was_discarded_is_known_by_its_print_alone(folder: Path) -> None:
    put(folder, "a.wav")
    (clip,) = learnt(folder).clips.values()
    write(folder, Profile("Anna", {"a.wav": Clip(clip.size, clip.modified, is_kept=False, prints=clip.prints)}))
    (folder / "Anna" / "a.wav").unlink()
    (anna,) = enrolled(folder)
    assert anna.voice(GE2E).vector == (1.0, 0.0)
    assert anna.lacking(OTHER) == ()
    with pytest.raises(SpeakerError, match="of another model, and the clips were discarded"):
        anna.voice(OTHER)


def test_a_damaged_profile_is_learnt_anew(folder: Path) -> None:
    put(folder, "a.wav")
    learnt(folder)
    (folder / "Anna" / speakers.PROFILE_FILE).write_text('{"clips": {"a.wav": []}}')
    assert read(folder, "Anna").lacking(GE2E) == ("a.wav",)


def test_a_voice_is_the_mean_of_the_clips_by_their_speech() -> None:
    assert profile(a=30, b=30).voice(GE2E).vector == pytest.approx((math.sqrt(0.5), math.sqrt(0.5)))
    x, y = profile(a=30, b=10).voice(GE2E).vector
    assert (x / y, math.hypot(x, y)) == pytest.approx((3, 1))


def test_why_nobody_can_be_looked_for_is_said_in_words() -> None:
    with pytest.raises(SpeakerError, match=r"3\.0 s of speech are enrolled; 5 s are the least"):
        profile(a=3).voice(GE2E)
    with pytest.raises(SpeakerError, match=r"a\.wav: It is cut short\."):
        Profile("Anna", {"a.wav": Clip(1, 1, error="a.wav: It is cut short.")}).voice(GE2E)
    with pytest.raises(SpeakerError, match="there is no clip"):
        Profile("Anna", {}).voice(GE2E)


def test_only_people_are_listed(folder: Path) -> None:
    for name in ("Bob", "Anna", ".trax-0123456789abcdef.tmp", "SPEAKER_00"):
        (folder / name).mkdir()
    (folder / "file.wav").touch()
    assert [each.name for each in enrolled(folder)] == ["Anna", "Bob"]
    assert enrolled(folder / "nowhere") == ()


@pytest.mark.parametrize("text", ["", " ", ".", "..", ".x", "a/b", "SPEAKER_1", "speaker_00", "a\x1b[2J", "a\u202eb", "x" * 101, "\udcff"])
def test_what_cannot_be_a_name_is_refused(text: str) -> None:
    with pytest.raises(SpeakerError):
        checked_name(text)


@given(st.text(max_size=40))
def test_a_name_names_one_folder_and_stays_itself(text: str) -> None:
    try:
        name = checked_name(text)
    except SpeakerError:
        return
    assert checked_name(name) == name
    assert os.path.basename(name) == name  # noqa: PTH119 - pathlib would forgive a slash
    assert len(name.encode()) <= 100


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_root_learns_belongs_to_the_owner_of_the_state_folder(folder: Path) -> None:
    put(folder, "a.wav")
    os.chown(folder.parent, 12345, 12345)
    with speakers.lock(folder) as is_free:
        assert is_free
        with speakers.lock(folder) as is_free_again:
            assert not is_free_again
    learnt(folder)
    everything = [folder, *folder.rglob("*")]
    assert {(path.stat().st_uid, path.stat().st_gid) for path in everything} == {(12345, 12345)}
    assert folder / ".lock" in everything
