"""Whether what is kept of a job allows to seek its speakers anew."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from trax.config import Settings, Stages
from trax.errors import JobError
from trax.jobs.job import Job, Status
from trax.pipeline import artefacts
from trax.pipeline.artefacts import Made
from trax.pipeline.rediarize import check, settings_for
from trax.pipeline.snapshots import snapshot_of
from trax.pipeline.stages import EMBED, LARGE, NAME, PLAN, REFINE, STAGES

PLANNED = {"refine": {"name": "better"}}


def done(settings: Settings | None = None) -> Job:
    plain, digest, stages = snapshot_of(settings or Settings())
    return Job("20261122-190512-7f3a9c", "talk.mp3", "talk", stages, plain, digest, 1.0, 1.0, status=Status.COMPLETED)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A job's folder in the archive, by some other Trax: the stamps are nobody's now."""
    for stage in STAGES:
        if stage.file is not None:
            (tmp_path / stage.file).write_bytes(stage.name.encode())
        artefacts.record(tmp_path, stage, Made("of another time", PLANNED if stage == PLAN else {}, 1.0))
    artefacts.drop_large(tmp_path, STAGES)
    return tmp_path


def test_what_was_made_by_another_trax_will_do_and_the_sound_is_not_needed(folder: Path) -> None:
    assert LARGE
    check(done(), folder)


def test_a_second_pass_that_had_failed_is_not_missed_but_one_whose_words_are_damaged_is(folder: Path) -> None:
    artefacts.forget(folder, REFINE)
    check(done(), folder)
    artefacts.record(folder, REFINE, Made("again", {}, 1.0))
    (folder / str(REFINE.file)).write_bytes(b"other")
    with pytest.raises(JobError, match="what the stage refine made is no longer kept"):
        check(done(), folder)


def test_without_voices_or_a_folder_it_cannot_be(folder: Path) -> None:
    (folder / str(EMBED.file)).unlink()
    with pytest.raises(JobError, match="what the stage embed made"):
        check(done(), folder)
    with pytest.raises(JobError, match="no longer kept"):
        check(done(), None)
    with pytest.raises(JobError, match="without telling speakers apart"):
        check(done(Settings(stages=Stages(diarize=False))), folder)


def test_only_diarization_changes_and_names_are_sought_where_that_is_set() -> None:
    before = done()
    plain, digest, stages = settings_for(before, {"max_speakers": 3, "profiles": True})
    assert {key for key in plain if plain[key] != before.settings[key]} == {"diarize"}
    assert digest != before.settings_hash
    assert stages == (*before.stages, NAME.name)
    assert settings_for(replace(before, settings=plain), {"max_speakers": 10, "profiles": False}) == snapshot_of(Settings())
