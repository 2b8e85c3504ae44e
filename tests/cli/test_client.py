from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from trax.cli.client import ask
from trax.config import Settings
from trax.errors import ControlError, DaemonAbsent, DaemonBusy, JobError


@contextmanager
def speaking(path: Path, talk: Callable[[socket.socket], object]) -> Iterator[None]:
    """A real socket whose one peer gets what `talk` does."""
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen()

    def serve() -> None:
        connection, _ = server.accept()
        with connection:
            talk(connection)

    thread = threading.Thread(target=serve)
    thread.start()
    yield
    thread.join()
    server.close()


def test_a_question_is_one_line_and_so_is_the_answer(tmp_path: Path) -> None:
    heard: list[bytes] = []

    def talk(connection: socket.socket) -> None:
        heard.append(connection.makefile("rb").readline())
        for part in (b'{"ok": true, "res', b'ult": {"name": "', "ü".encode() + b'"}}\nmore'):
            connection.sendall(part)
            time.sleep(0.02)

    with speaking(tmp_path / "s", talk):
        assert ask(tmp_path / "s", {"command": "show", "job": "\udcff"}) == {"name": "ü"}
    assert json.loads(heard[0]) == {"command": "show", "job": "\udcff"}


def test_the_daemons_own_server_is_understood(daemon: Any, settings: Settings) -> None:
    daemon.answer = lambda request: {"echo": dict(request)}
    assert ask(settings.socket_path, {"command": "ping"}) == {"echo": {"command": "ping"}}


def test_a_large_answer_arrives_whole(daemon: Any, settings: Settings) -> None:
    daemon.answer = lambda _: {"text": "x" * 3_000_000}
    assert len(ask(settings.socket_path, {"command": "status"})["text"]) == 3_000_000


def test_what_the_daemon_refuses_comes_as_its_own_error(daemon: Any, settings: Settings) -> None:
    def refuse(_: Mapping[str, Any]) -> Mapping[str, Any]:
        raise JobError("No such job.", advice="Look again.")

    daemon.answer = refuse
    with pytest.raises(JobError, match="No such job") as caught:
        ask(settings.socket_path, {"command": "show", "job": "x"})
    assert caught.value.advice == "Look again."


def test_no_socket_means_no_daemon(tmp_path: Path) -> None:
    with pytest.raises(DaemonAbsent):
        ask(tmp_path / "none", {"command": "ping"})


def test_a_socket_that_a_killed_daemon_left_means_no_daemon(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "s"))
    with pytest.raises(DaemonAbsent):
        ask(tmp_path / "s", {"command": "ping"})


def test_a_daemon_that_does_not_answer_is_busy(tmp_path: Path) -> None:
    done = threading.Event()
    with speaking(tmp_path / "s", lambda _: done.wait(10)):
        began = time.monotonic()
        with pytest.raises(DaemonBusy, match=r"0\.3 s"):
            ask(tmp_path / "s", {"command": "ping"}, timeout=0.3)
        assert time.monotonic() - began < 2
        done.set()


def test_a_daemon_that_dribbles_is_busy_too(tmp_path: Path) -> None:
    def dribble(connection: socket.socket) -> None:
        try:
            for _ in range(40):
                connection.sendall(b" ")
                time.sleep(0.05)
        except OSError:
            pass  # the client is gone, as it should

    with speaking(tmp_path / "s", dribble):
        began = time.monotonic()
        with pytest.raises(DaemonBusy):
            ask(tmp_path / "s", {"command": "ping"}, timeout=0.3)
        assert time.monotonic() - began < 1.5


@pytest.mark.parametrize(
    "reply",
    [b"", b"{", b"hello\n", b"[]\n", b'{"ok": true}\n', b'{"ok": true, "result": 3}\n', b'{"ok": false, "error": "no"}\n', b"\xff\xfe\n"],
)
def test_an_answer_that_is_none_is_told_in_words(tmp_path: Path, reply: bytes) -> None:
    def talk(connection: socket.socket) -> None:
        connection.makefile("rb").readline()
        connection.sendall(reply)

    with speaking(tmp_path / "s", talk), pytest.raises(ControlError, match="traxd"):
        ask(tmp_path / "s", {"command": "ping"})


def test_a_path_that_is_too_long_is_told_in_words(tmp_path: Path) -> None:
    with pytest.raises(ControlError, match="cannot be used") as caught:
        ask(tmp_path / ("x" * 120), {"command": "ping"})
    assert "107" in caught.value.advice


def test_a_socket_of_others_is_told_in_words(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        server.listen()
        (tmp_path / "s").chmod(0)
        with as_a_stranger(), pytest.raises(ControlError, match="may not") as caught:
            ask(tmp_path / "s", {"command": "ping"})
    assert not isinstance(caught.value, DaemonAbsent)


@contextmanager
def as_a_stranger() -> Iterator[None]:
    """Without root's rights, where the tests run as root: root may talk to every socket."""
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)


def test_a_change_that_is_not_answered_may_be_done_yet(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(tmp_path / "socket"))
        deaf.listen()
        for command, is_said in (("purge", True), ("status", False)):
            with pytest.raises(DaemonBusy) as caught:
                ask(tmp_path / "socket", {"command": command}, timeout=0.1)
            assert ("may do it yet" in caught.value.advice) == is_said
