from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trax import files
from trax.errors import StorageError
from trax.jobs.seen import Seen

A, B = "a" * 64, "b" * 64


def test_the_last_line_about_a_recording_holds(tmp_path: Path) -> None:
    seen = Seen(tmp_path / "seen.log")
    assert seen.needs_rebuild
    seen.add(A, "job-1")
    seen.add(B, "job-2")
    seen.add(A, "job-3")
    for log in (seen, Seen(tmp_path / "seen.log")):
        assert (log.find(A), log.find(B), log.find("c" * 64)) == ("job-3", "job-2", None)
    assert not Seen(tmp_path / "seen.log").needs_rebuild


def test_cut_anywhere_whole_lines_stay_until_it_is_rebuilt_and_what_is_added_later_is_found(tmp_path: Path) -> None:
    path = tmp_path / "seen.log"
    Seen(path).add(A, "job-1")
    first = path.stat().st_size
    Seen(path).add(B, "job-2")
    whole = path.read_bytes()
    for length in range(first, len(whole)):
        path.write_bytes(whole[:length])
        log = Seen(path)
        assert (log.find(A), log.find(B), log.needs_rebuild) == ("job-1", None, length > first)
    for length in (first - 5, first, first + 1, len(whole) - 1):
        path.write_bytes(whole[:length])
        Seen(path).add("c" * 64, "job-3")
        assert Seen(path).find("c" * 64) == "job-3"


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(position=st.integers(0, 150), bit=st.integers(0, 7))
def test_a_flipped_bit_is_noticed_and_never_believed(tmp_path: Path, position: int, bit: int) -> None:
    path = tmp_path / "seen.log"
    lines = {A: "job-1", B: "job-2"}
    seen = Seen(path)
    seen.rebuild(lines.items())
    data = bytearray(path.read_bytes())
    position %= len(data) - 1  # without its last line feed the log is torn, not damaged
    data[position] ^= 1 << bit
    path.write_bytes(data)
    log = Seen(path)
    assert log.needs_rebuild
    assert all(log.find(media_id) in {None, job_id} for media_id, job_id in lines.items())
    log.rebuild(lines.items())
    assert Seen(path).find(A) == "job-1"
    assert not Seen(path).needs_rebuild


def test_a_failed_append_leaves_no_line_that_swallows_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "seen.log"
    seen = Seen(path)
    seen.add(A, "job-1")

    def tears(target: Path, data: bytes, *_: object) -> None:
        with target.open("ab") as handle:
            handle.write(data[:20])
        raise StorageError("No.")

    with monkeypatch.context() as patch:
        patch.setattr(files, "append", tears)
        with pytest.raises(StorageError):
            seen.add(B, "job-2")
    assert seen.find(B) is None
    seen.add(B, "job-3")
    assert Seen(path).find(B) == "job-3"
