"""The attack on privacy sees what it looks for: each look is shown something that it must find."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from attacks.privacy_looks import Watcher, Writes, holding, what_a_stranger_reaches


@pytest.fixture
def root() -> Iterator[Path]:
    """A root that everybody may enter."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        Path(name).chmod(0o755)
        for part in ("inbox", "outbox", "state"):
            (Path(name) / part).mkdir(mode=0o750)
        yield Path(name)


def test_files_and_children_that_tell(root: Path) -> None:
    (root / "state" / "open.json").touch()
    (root / "state" / "open.json").chmod(0o644)
    (root / "state" / "closed.json").touch()
    (root / "state" / "closed.json").chmod(0o640)
    child = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'input()'])"
    with subprocess.Popen([sys.executable, "-c", child], stdin=subprocess.PIPE, env={"KEY": "sk-secret"}, umask=0) as daemon:
        with Watcher(root, daemon.pid, ["sk-secret"]) as watcher:
            until = time.monotonic() + 60
            while not (watcher.leaks and watcher.open_files) and time.monotonic() < until:
                time.sleep(0.05)
        daemon.kill()
    assert watcher.open_files == {"state/open.json has mode 0644"}
    assert len(watcher.leaks) == 1
    assert watcher.umasks == {"0000"}


def test_files_that_come_and_go(tmp_path: Path) -> None:
    with Writes([tmp_path]) as writes:
        (tmp_path / "brief").touch()
        (tmp_path / "brief").unlink()
    assert writes.seen == {str(tmp_path / "brief")}


def test_words_in_names_and_in_bytes(tmp_path: Path) -> None:
    (tmp_path / "northwind.json").write_text("{}")
    (tmp_path / "other").write_bytes(b"\x00northwind\xff")
    assert sorted(holding(tmp_path, ["northwind"])) == ["northwind.json holds 'northwind'", "other holds 'northwind'"]
    assert holding(tmp_path, ["northwind"], but=[tmp_path / "other", tmp_path / "northwind.json"]) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_what_others_can_reach(root: Path) -> None:
    (root / "outbox" / "talk.json").touch()
    assert what_a_stranger_reaches(root, root / "no.sock") == []
    (root / "outbox").chmod(0o755)
    (root / "outbox" / "talk.json").chmod(0o646)
    reached = what_a_stranger_reaches(root, root / "no.sock")
    assert reached == [f"list or read {root}/outbox", f"list or read {root}/outbox/talk.json", f"write {root}/outbox/talk.json"]
