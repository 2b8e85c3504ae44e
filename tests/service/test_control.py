"""What can be asked of the daemon: retry and cancel, by members of its group, in whatever words."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from rig import PATIENCE, WORDS, Traxd, stamps

from trax.errors import ControlError, JobError
from trax.jobs.job import Status
from trax.service.control import ControlServer, may_ask


@pytest.fixture
def recording(cut: Callable[..., Path]) -> Path:
    """Long enough to be met in the middle: three turns."""
    return cut(0.0, 10.0)


def settings(**changed: object) -> dict[str, object]:
    return {**WORDS, **changed}


def test_a_failed_job_is_retried_once_its_cause_is_mended(tmp_path: Path, turn: Callable[..., Path]) -> None:
    with Traxd(tmp_path, settings(intake={"settle_seconds": 0.5, "max_size_mb": 0.01})) as traxd:
        traxd.put(turn(0), "talk.wav")
        failed = traxd.wait_for("talk.wav")
        assert traxd.error("talk")["code"] == "too-large"
        again = traxd.ask("retry", jobs=[failed.id], failed=False, current_settings=False)
        assert again == {"retried": [failed.id], "refused": []}
        traxd.wait_for("talk.wav", Status.FAILED)
    with Traxd(tmp_path, WORDS) as traxd:
        assert traxd.ask("retry", jobs=[], failed=True, current_settings=False)["retried"] == [failed.id]
        assert traxd.wait_for("talk.wav", Status.COMPLETED).attempts == 1
        assert traxd.transcript("talk")["segments"]
        assert not traxd.errors()


def test_a_completed_job_is_done_again_only_with_other_settings_and_nothing_twice(tmp_path: Path, turn: Callable[..., Path]) -> None:
    with Traxd(tmp_path, WORDS) as traxd:
        traxd.put(turn(0), "talk.wav")
        done = traxd.wait_for("talk.wav")
        before = stamps(traxd.folder("archive", done))
        (refusal,) = traxd.ask("retry", jobs=["talk"], failed=False, current_settings=False)["refused"]
        assert refusal["error"]["code"] == "job"
    with Traxd(tmp_path, settings(output={"formats": ["json", "txt"]})) as traxd:
        assert traxd.ask("retry", jobs=["talk"], failed=False, current_settings=True)["retried"] == [done.id]
        traxd.wait_until(lambda: (traxd.outbox / "talk.txt").exists() and traxd.job("talk.wav").is_finished, PATIENCE)
        after = stamps(traxd.folder("archive", done))
        assert {name for name in before if after[name] != before[name]} == {"plan.stamp"}
        assert sorted(path.name for path in traxd.outbox.glob("talk*")) == ["talk.json", "talk.txt"]

        (traxd.outbox / "talk.txt").write_text("corrected by hand")
        traxd.ask("retry", jobs=["talk"], failed=False, current_settings=True)
        traxd.wait_until(lambda: "talk (2)" in traxd.transcripts(), PATIENCE)
        assert (traxd.outbox / "talk.txt").read_text() == "corrected by hand"
        assert traxd.wait_for("talk.wav").output_name == "talk (2)"

        traxd.put(turn(0), "copy.wav")  # done before, and with today's settings
        copy = traxd.wait_for("copy.wav")
        assert copy.duplicate_of == done.id
        assert (traxd.outbox / "copy.txt").is_file()


def test_jobs_that_wait_or_run_are_cancelled_and_taken_up_again(tmp_path: Path, recording: Path, turn: Callable[..., Path]) -> None:
    with Traxd(tmp_path, settings(max_workers=1)) as traxd:
        traxd.put(recording, "running.wav")
        running = traxd.wait_for_stage("running.wav", "transcribe")
        vad = stamps(traxd.folder("work", running))["vad.stamp"]
        for number, name in enumerate(("next.wav", "waiting.wav")):
            traxd.put(turn(0, variant=number), name)
            traxd.wait_for(name, Status.QUEUED, Status.RUNNING)
        waiting = traxd.wait_for("waiting.wav", Status.QUEUED)
        for job, name in ((waiting, "waiting"), (running, "running")):
            assert traxd.ask("cancel", job=job.id) == {"cancelled": job.id}
            assert traxd.wait_for(job.source_name, Status.CANCELLED).finished
            traxd.wait_until(lambda name=name: name in traxd.errors(), PATIENCE)
            assert traxd.error(name)["code"] == "cancelled"
            assert (traxd.folder("archive", job) / "source").is_file()
            assert not (traxd.folder("archive", job) / "pcm.raw").exists()
            assert f"[{job.id}] cancelled, as asked" in traxd.log_tail()
        with pytest.raises(JobError, match="cancelled"):
            traxd.ask("cancel", job=running.id)
        retried = traxd.ask("retry", jobs=[running.id, waiting.id], failed=False, current_settings=False)
        assert retried["retried"] == [running.id, waiting.id]
        for job in (running, waiting):
            assert traxd.wait_for(job.source_name, Status.COMPLETED).attempts == 1
        assert stamps(traxd.folder("archive", running))["vad.stamp"] == vad
        traxd.wait_for("next.wav", Status.COMPLETED)
        assert sorted(traxd.transcripts()) == ["next", "running", "waiting"]
        assert not traxd.errors()


def test_what_was_asked_while_no_daemon_ran_is_done_at_start(tmp_path: Path, turn: Callable[..., Path]) -> None:
    (tmp_path / "empty").touch()
    with Traxd(tmp_path, WORDS) as traxd:
        traxd.put(turn(0), "talk.wav")
        traxd.put(tmp_path / "empty", "empty.wav")
        kept = traxd.wait_for("talk.wav")
        failed = traxd.wait_for("empty.wav")
    told = subprocess.run(
        [sys.executable, "-m", "trax.cli.main", "--config", str(tmp_path / "trax.yaml"), "--json", "retry", failed.id],
        capture_output=True, check=True, text=True,
    )  # fmt: skip
    assert json.loads(told.stdout)["requested"] == [failed.id]
    requests = traxd.state / "requests"
    (requests / "0.json").write_text("not JSON")
    (requests / "1.json").write_text(json.dumps({"command": "retry", "jobs": [5, "nobody"], "failed": 0}))
    (requests / "2.json").write_text("[" * 100_000)
    (requests / "3.json").write_text(json.dumps({"command": "dance"}))
    with Traxd(tmp_path, {**WORDS, "retention": {"archive_days": 0}}) as traxd:
        traxd.wait_until(lambda: traxd.job("empty.wav").changed > failed.changed and traxd.job("empty.wav").is_finished, PATIENCE)
        traxd.wait_until(lambda: not traxd.folder("archive", kept).exists(), PATIENCE)  # kept for no day at all
        assert list(requests.iterdir()) == []
        assert traxd.transcript("talk")["segments"]
        refused = traxd.ask("retry", jobs=["talk"], failed=False, current_settings=True)["refused"]
        assert "no longer kept" in refused[0]["error"]["what"]


@pytest.mark.parametrize(
    "line",
    [
        b"\n", b"hello\n", b"\xff\xfe\n", b"[]\n", b"5\n", b"null\n", b"{}\n", b"[" * 50_000 + b"\n",
        b'{"command": 5}\n', b'{"command": "show"}\n', b'{"command": "show", "job": ["a"]}\n', b'{"command": "show", "job": "../../etc"}\n',
        b'{"command": "show", "job": ""}\n', b'{"command": "cancel", "job": "\\u0000"}\n', b'{"command": "retry", "jobs": "all"}\n',
    ],
    ids=lambda line: ascii(line[:40]),
)  # fmt: skip
def test_a_request_that_is_none_is_answered_with_an_error(traxd: Traxd, line: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(PATIENCE)
        peer.connect(str(traxd.socket))
        peer.sendall(line)
        answer = json.loads(peer.makefile("rb").readline())
    assert answer["ok"] is False
    assert answer["error"]["code"] in {"control", "job"}
    assert traxd.answers()


def test_a_line_without_end_is_not_listened_to(traxd: Traxd) -> None:
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(PATIENCE)
        peer.connect(str(traxd.socket))
        with pytest.raises(OSError, match=r"[Pp]ipe|reset"):
            peer.sendall(b"x" * (64 << 20))
    assert traxd.answers()


def test_the_socket_is_for_the_owner_and_the_group(traxd: Traxd) -> None:
    assert traxd.socket.stat().st_mode & 0o7777 == 0o660


@pytest.mark.parametrize(
    ("uid", "gid", "groups", "welcome"),
    [
        (0, 0, set(), True),
        (990, 990, set(), True),
        (1000, 990, set(), True),
        (1000, 1000, {4, 990}, True),
        (1000, 1000, {4, 27}, False),
        (1000, 1000, {0}, False),
        (1000, 0, set(), False),
    ],
)
def test_root_the_own_user_and_members_of_the_group_may_ask(uid: int, gid: int, groups: set[int], *, welcome: bool) -> None:
    assert may_ask(uid, gid, groups, own_uid=990, own_gid=990) is welcome


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become someone else")
def test_a_stranger_who_gets_at_the_socket_is_refused(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory() as name, Traxd(tmp_path, WORDS) as traxd:
        public = Path(name) / "open.sock"
        Path(name).chmod(0o755)
        traxd.socket.chmod(0o666)
        os.link(traxd.socket, public)
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.setgroups([])
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)
            with socket.socket(socket.AF_UNIX) as peer:
                peer.connect(str(public))
                peer.sendall(b'{"command": "status"}\n')
                os.write(writing, peer.makefile("rb").readline())
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading, "rb") as answer:
            told = json.loads(answer.read())
        os.waitpid(child, 0)
    assert told["ok"] is False
    assert "may not" in told["error"]["what"]
    assert "user 65534 is refused" in (tmp_path / "traxd.log").read_text()


def test_a_socket_that_has_no_place_is_told_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")

    async def handle(_request: object) -> dict[str, object]:
        return {}

    with pytest.raises(ControlError, match="cannot be made"):
        asyncio.run(ControlServer(tmp_path / "file" / "traxd.sock", handle).start())
