"""A disk that lost what was written ends the daemon, wherever that is noticed; in the middle of a job, see the crash points."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from trax import files
from trax.config import Settings
from trax.errors import DiskFailed, from_dict
from trax.jobs.folders import StateFolders
from trax.jobs.ledger import Ledger
from trax.jobs.outputs import SIDE_FOLDER, WORK_LOCK
from trax.jobs.seen import Seen
from trax.pipeline.local_lanes import local_lanes
from trax.service.control import ControlServer
from trax.service.recovering import recover
from trax.service.working import Workshop


def test_one_noticed_by_a_request_is_told_to_who_asked_and_ends_the_daemon(tmp_path: Path) -> None:
    async def handle(_request: Mapping[str, Any]) -> dict[str, Any]:
        raise DiskFailed("The disk did not keep what was written: Input/output error.", file="ledger-a.json")

    async def main() -> None:
        server = ControlServer(tmp_path / "traxd.sock", handle)
        await server.start()
        reader, writer = await asyncio.open_unix_connection(tmp_path / "traxd.sock")
        writer.write(b'{"command": "retry", "jobs": ["a"]}\n')
        told = json.loads(await reader.readline())
        assert told["error"]["code"] == "disk-failed"
        assert told["error"]["file"] == "ledger-a.json"
        with pytest.raises(DiskFailed):
            await server.run()
        writer.close()
        server.close()

    asyncio.run(main())


def test_one_noticed_by_a_worker_is_still_one_on_this_side_of_the_wall() -> None:
    assert type(from_dict(DiskFailed("Gone.", file="fast.json").as_dict())) is DiskFailed


def test_a_start_removes_what_was_never_published_but_what_somebody_works_on(tmp_path: Path) -> None:
    settings = Settings(root=str(tmp_path))
    folders = StateFolders(settings.state_folder)
    folders.make()
    files.make_folder(settings.inbox_folder)
    staging = settings.outbox_folder / SIDE_FOLDER
    for name in ("left", "held", ".trax-0123456789abcdef.tmp"):
        (staging / name).mkdir(parents=True)
        (staging / name / "output.json").touch()
    ledger, seen = Ledger(folders.ledger), Seen(folders.ledger / "seen.log")
    workshop = Workshop(settings, folders, ledger, seen, local_lanes(settings))
    with files.locked(staging / "held" / WORK_LOCK):
        recover(settings, folders, ledger, seen, workshop)
    assert [path.name for path in staging.iterdir()] == ["held"]
