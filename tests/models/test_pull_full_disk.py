"""A download on a real disk that fills up: what has come is kept, and goes on once there is room."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from file_server import DATA, FILE, Served, arrived
from published import FILE as PUBLISHED
from published import MODEL

from trax.errors import DiskFull, StorageError
from trax.models.catalogue import File
from trax.models.download import Wanted, client, fetch
from trax.models.gathering import Source
from trax.models.part import Part
from trax.models.pulling import pull


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of half a megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", folder], check=False).returncode != 0:
        pytest.skip("nothing can be mounted here: that takes root")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_disk_that_fills_up_keeps_what_has_come(server, watcher, small_disk):
    """The server does not tell the length, so that nobody can know before that there is no room."""
    server.files[FILE] = Served(DATA, tells_length=False)
    part = Part(small_disk / "model.bin")
    with client() as http:
        with pytest.raises(DiskFull) as caught:
            fetch(Wanted(server.address(FILE)), part, http, watcher, watcher.waits.append)
        assert "No space left" in caught.value.what
        came = part.length
        assert 0 < came == part.path.stat().st_size < len(DATA)
        assert part.path.read_bytes() == DATA[:came]

        subprocess.run(["mount", "-o", "remount,size=4m", small_disk], check=True)
        part = Part(part.path)
        fetch(Wanted(server.address(FILE)), part, http, watcher, watcher.waits.append)
    arrived(part, DATA)
    assert server.asked[-1][1]["range"] == f"bytes={came}-"
    assert watcher.waits == []


def test_a_disk_without_room_is_told_first_where_the_length_is_known(server, watcher, small_disk):
    server.files[FILE] = Served(DATA)
    part = Part(small_disk / "model.bin")
    with client() as http, pytest.raises(DiskFull, match=r"1.0 MB more are needed, and 524.3 kB are free"):
        fetch(Wanted(server.address(FILE)), part, http, watcher, watcher.waits.append)
    assert list(small_disk.iterdir()) == []


def test_a_disk_too_small_for_what_is_made_keeps_what_came(server, publish, watcher, file, small_disk):
    server.files[MODEL] = Served(file.read_bytes())
    publish(File(name=PUBLISHED), quantise="q8_0")
    size = file.stat().st_size

    def pull_with(room: int) -> bool:
        subprocess.run(["mount", "-o", f"remount,size={room}", small_disk], check=True)
        return pull("own", small_disk / "models", Source(mirror=server.address()), watcher, watcher.waits.append).is_new

    with pytest.raises(DiskFull, match="Make room and give the same command again"):
        pull_with(size + 500_000)
    assert pull_with(3 * size)
    assert len(server.asked) == 1


def test_a_limit_on_the_length_of_files_keeps_what_fits(server, get, tmp_path):
    server.files[FILE] = Served(DATA)
    former = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, former[1]))
    try:
        with pytest.raises(StorageError, match="File too large"):
            get()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, former)
    assert (tmp_path / "downloads" / "model.bin").read_bytes() == DATA[:500_000]
    arrived(get(), DATA)
    assert server.asked[-1][1]["range"] == "bytes=500000-"
