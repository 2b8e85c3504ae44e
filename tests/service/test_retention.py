from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from trax.jobs.folders import StateFolders, write_job
from trax.jobs.job import Job, Status
from trax.service import retention

DAY = 86_400.0


def archived(folders: StateFolders, number: int, finished: float | None) -> Path:
    job = Job(f"20261122-190512-{number:06x}", "a.wav", "a", (), {}, "0011", created=1.0, changed=1.0)
    folder = folders.archive / job.id
    folder.mkdir()
    write_job(folder, replace(job, status=Status.COMPLETED, finished=finished))
    return folder


def test_what_was_kept_long_enough_is_found_and_removed_and_nothing_else(tmp_path: Path) -> None:
    folders = StateFolders(tmp_path)
    folders.make()
    old, young = archived(folders, 1, 10 * DAY), archived(folders, 2, 12 * DAY)
    unfinished = archived(folders, 3, None)
    (folders.archive / "20261122-190512-000004").mkdir()  # without a record: doctor tells of it
    assert retention.outdated(folders, 3.0, 14 * DAY) == [old]
    retention.remove(old, 3.0)
    assert sorted(folders.archive.iterdir()) == [young, unfinished, folders.archive / "20261122-190512-000004"]
    retention.remove(old, 3.0)  # gone already: purged, or taken up again


def test_the_archive_is_looked_through_as_often_as_the_time_asks_for() -> None:
    assert retention.pause(30.0) == 3600.0
    assert retention.pause(0.0) == 5.0
    assert retention.pause(60 / DAY) == 6.0
