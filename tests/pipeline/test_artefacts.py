from __future__ import annotations

import time
from pathlib import Path

import pytest

from trax import files
from trax.errors import WorkerCrashed
from trax.pipeline import artefacts
from trax.pipeline.artefacts import Made
from trax.pipeline.stages import DECODE, STAGES, VAD


def make(folder: Path, stage=VAD, data: bytes = b'{"speech": []}', stamp: str = "abc") -> Made:
    made = Made(stamp, {"speech_seconds": 1.5}, 2.0)
    if stage.file is not None:
        files.write_bytes(folder / stage.file, data)
    artefacts.record(folder, stage, made)
    return made


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_what_was_recorded_is_read_back(tmp_path, stage):
    made = make(tmp_path, stage)
    assert artefacts.read(tmp_path, stage) == made
    assert artefacts.is_kept(tmp_path, stage)


def test_nothing_there_is_nothing_made(tmp_path):
    assert artefacts.read(tmp_path, VAD) is None
    assert not artefacts.is_kept(tmp_path, VAD)
    artefacts.forget(tmp_path, VAD)
    assert list(tmp_path.iterdir()) == []


def test_an_artefact_that_was_not_written_gets_no_stamp(tmp_path):
    with pytest.raises(WorkerCrashed, match="ended without its result"):
        artefacts.record(tmp_path, VAD, Made("abc", {}, 0.0))
    assert list(tmp_path.iterdir()) == []


def test_forgetting_takes_the_stamp_only(tmp_path):
    make(tmp_path)
    artefacts.forget(tmp_path, VAD)
    assert artefacts.read(tmp_path, VAD) is None
    assert [path.name for path in tmp_path.iterdir()] == ["vad.json"]


@pytest.mark.parametrize("damage", [b"", b'{"speech": [', b'{"speech": [[1, 2]]}'], ids=["emptied", "cut", "changed"])
def test_a_damaged_file_is_not_trusted(tmp_path, damage):
    make(tmp_path)
    (tmp_path / "vad.json").write_bytes(damage)
    assert artefacts.read(tmp_path, VAD) is None


def test_a_small_artefact_that_is_gone_is_not_made(tmp_path):
    make(tmp_path)
    (tmp_path / "vad.json").unlink()
    assert artefacts.read(tmp_path, VAD) is None


@pytest.mark.parametrize(
    "stamp",
    [b"", b"{", b"[]", b"null", b'{"stamp": "abc"}', b'{"stamp": "abc", "result": 3, "seconds": 1, "file": ""}', b"[" * 100_000],
    ids=["empty", "cut", "list", "null", "incomplete", "wrong type", "deep"],
)
def test_a_damaged_stamp_is_not_trusted(tmp_path, stamp):
    make(tmp_path)
    (tmp_path / "vad.stamp").write_bytes(stamp)
    assert artefacts.read(tmp_path, VAD) is None


def test_the_pcm_may_go_and_stays_made_but_one_of_another_length_is_not_trusted(tmp_path):
    made = make(tmp_path, DECODE, b"1234")
    (tmp_path / "pcm.raw").write_bytes(b"12")
    assert artefacts.read(tmp_path, DECODE) is None
    artefacts.drop_large(tmp_path, STAGES)
    assert artefacts.read(tmp_path, DECODE) == made
    assert not artefacts.is_kept(tmp_path, DECODE)


def test_an_earlier_job_gives_what_is_small_and_sound(tmp_path):
    earlier, job = tmp_path / "earlier", tmp_path / "job"
    earlier.mkdir()
    job.mkdir()
    made = {stage.name: make(earlier, stage) for stage in STAGES}
    (earlier / "turns.json").write_bytes(b"damaged")
    artefacts.copy_small(earlier, job, STAGES)
    for stage in STAGES:
        assert artefacts.read(job, stage) == (None if stage.name == "cluster" else made[stage.name])
    assert not (job / "pcm.raw").exists(), "the sound is large, and can be made again"
    assert not (job / "turns.json").exists()


def test_what_a_duplicate_made_itself_is_not_replaced(tmp_path):
    earlier, job = tmp_path / "earlier", tmp_path / "job"
    earlier.mkdir()
    job.mkdir()
    make(earlier, stamp="theirs")
    own = make(job, stamp="own", data=b"own")
    artefacts.copy_small(earlier, job, STAGES)
    assert artefacts.read(job, VAD) == own


def test_what_was_made_since_a_moment(tmp_path):
    before = time.time() - 100
    assert not artefacts.made_since(tmp_path, STAGES, before)
    make(tmp_path)
    assert artefacts.made_since(tmp_path, STAGES, before)
    assert not artefacts.made_since(tmp_path, STAGES, time.time() + 100)
