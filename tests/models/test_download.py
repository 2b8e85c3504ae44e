"""Fetching from a real server that breaks off, changes its file, or has something else."""

from __future__ import annotations

import threading
import time
from email.utils import formatdate

import pytest
from file_server import DATA, FILE, Fault, Served, arrived

from trax.errors import DiskFull, ModelError, ModelUnreachable

OTHER = bytes(reversed(DATA))


def test_a_file_comes_and_the_progress_is_told(server, get, watcher):
    server.files[FILE] = Served(DATA)
    arrived(get(size=len(DATA)), DATA)
    assert watcher.progress[0] == (0, len(DATA))
    assert watcher.progress[-1] == (len(DATA), len(DATA))
    assert [done for done, _ in watcher.progress] == sorted(done for done, _ in watcher.progress)
    assert (watcher.notes, watcher.waits) == ([], [])


def test_what_is_whole_is_not_asked_for_again(server, get):
    server.files[FILE] = Served(DATA)
    get()
    arrived(get(), DATA)
    assert len(server.asked) == 1


@pytest.mark.parametrize("named", [{"etag": '"v1"'}, {"modified": "Sun, 22 Nov 2026 19:05:12 GMT"}])
@pytest.mark.parametrize("cuts", [(0, 0), (1,), (1000, 300_000, 1), (len(DATA) - 1,)])
def test_it_goes_on_where_it_broke_off(server, get, watcher, cuts, named):
    server.files[FILE] = Served(DATA, **named)
    server.faults.extend(Fault(cut=cut) for cut in cuts)
    arrived(get(), DATA)
    asked = [headers for _, headers in server.asked]
    assert len(asked) == len(cuts) + 1
    came = 0
    for headers, cut in zip(asked, (*cuts, None), strict=True):
        expected = (f"bytes={came}-", next(iter(named.values()))) if came else (None, None)
        assert (headers.get("range"), headers.get("if-range")) == expected
        came += cut or 0
    assert len(watcher.notes) == len(watcher.waits) == len(cuts)


def test_waits_grow_only_while_nothing_comes(server, get, watcher):
    server.files[FILE] = Served(DATA)
    server.faults.extend([Fault(cut=0), Fault(cut=0), Fault(cut=1000), Fault(cut=0), Fault(cut=0)])
    arrived(get(), DATA)
    assert watcher.waits == [1, 2, 1, 2, 4]


def test_a_file_that_changed_is_never_joined_to_the_former(server, get, watcher):
    server.files[FILE] = Served(DATA)
    server.faults.append(Fault(cut=500_000, then=lambda: server.files.update({FILE: Served(OTHER)})))
    arrived(get(), OTHER)
    assert "fetched anew" in watcher.notes[-1]


def test_nor_by_a_server_that_does_not_heed_if_range(server, get, watcher):
    """It sends the rest of the changed file: its name for the version gives it away."""
    server.files[FILE] = Served(DATA, etag='"first"')

    def change():
        server.files[FILE] = Served(OTHER, etag='"first"')  # the server believes that the range is of the same version
        server.faults.append(Fault(headers={"ETag": '"second"'}))

    server.faults.append(Fault(cut=500_000, then=change))
    arrived(get(), OTHER)
    assert "another piece or file" in watcher.notes[1]


@pytest.mark.parametrize("claimed", ["bytes 400000-1023999/1024000", "bytes 500000-1023999/2048000", "items 1-2/3", ""])
def test_a_piece_that_was_not_asked_for_is_not_taken(server, get, claimed):
    server.files[FILE] = Served(DATA)
    server.faults.extend([Fault(cut=500_000), Fault(headers={"Content-Range": claimed})])
    arrived(get(), DATA)
    assert [headers.get("range") for _, headers in server.asked] == [None, "bytes=500000-", None]


def test_a_server_without_ranges_sends_it_anew(server, get):
    server.files[FILE] = Served(DATA, ranges=False)
    server.faults.append(Fault(cut=500_000))
    arrived(get(), DATA)


def test_a_server_that_always_breaks_off_at_the_same_place_is_given_up(server, get):
    server.files[FILE] = Served(DATA, ranges=False)
    server.faults.extend(Fault(cut=500_000) for _ in range(20))
    with pytest.raises(ModelUnreachable, match="broke off, 5 times in a row"):
        get()


def test_a_weak_name_does_not_do_for_going_on(server, get):
    server.files[FILE] = Served(DATA, etag='W/"v1"', modified="Sun, 22 Nov 2026 19:05:12 GMT")
    server.faults.append(Fault(cut=500_000))
    arrived(get(), DATA)
    assert "range" not in server.asked[1][1]


def test_a_part_of_another_address_is_dropped(server, get):
    server.files |= {FILE: Served(DATA, etag='"same"'), "/mirror": Served(OTHER, etag='"same"')}
    server.faults.extend(Fault(cut=500_000 if number == 0 else 0) for number in range(6))
    with pytest.raises(ModelUnreachable):
        get()
    arrived(get("/mirror"), OTHER)


def test_a_file_that_became_shorter_is_fetched_anew(server, get):
    server.files[FILE] = Served(DATA)
    server.faults.append(Fault(cut=500_000, then=lambda: server.faults.append(Fault(status=416))))
    arrived(get(), DATA)


def test_a_length_that_nobody_tells_is_found_at_the_end(server, get, watcher):
    server.files[FILE] = Served(DATA, tells_length=False)
    arrived(get(), DATA)
    assert watcher.progress[-1] == (len(DATA), None)


def test_the_catalogue_finds_out_that_such_a_file_broke_off(server, get):
    server.files[FILE] = Served(DATA, tells_length=False)
    server.faults.append(Fault(cut=500_000))
    arrived(get(size=len(DATA)), DATA)


def test_more_than_there_should_be_is_refused_and_dropped(server, get, tmp_path):
    server.files[FILE] = Served(DATA, tells_length=False)
    with pytest.raises(ModelError, match="longer than the 1000 bytes"):
        get(size=1000)
    assert not list((tmp_path / "downloads").iterdir())


@pytest.mark.parametrize(("status", "asked"), [(429, "7"), (503, "7"), (500, None), (408, None)])
def test_a_busy_server_is_asked_again_when_it_wishes(server, get, watcher, status, asked):
    server.files[FILE] = Served(DATA)
    server.faults.append(Fault(status=status, headers={"Retry-After": asked} if asked else {}))
    arrived(get(), DATA)
    assert watcher.waits == [float(asked or 1)]
    assert str(status) in watcher.notes[0]


def test_it_may_wish_it_by_a_date(server, get, watcher):
    server.files[FILE] = Served(DATA)
    server.faults.append(Fault(status=503, headers={"Retry-After": formatdate(time.time() + 120, usegmt=True)}))
    get()
    assert 60 < watcher.waits[0] <= 120


def test_who_is_to_wait_for_long_is_told(server, get, watcher):
    server.faults.append(Fault(status=429, headers={"Retry-After": "3600"}))
    with pytest.raises(ModelUnreachable, match="for 60 minutes"):
        get()
    assert watcher.waits == []


def test_nobody_there_is_told_after_a_few_attempts(server, get, watcher):
    address = server.address(FILE)
    server.stop()
    with pytest.raises(ModelUnreachable, match=r"cannot be reached.*5 times in a row.*--from"):
        get(address=address)
    assert watcher.waits == [1, 2, 4, 8]


def test_a_server_that_falls_silent_is_left(server, get, watcher, monkeypatch):
    silence = threading.Event()
    server.files[FILE] = Served(DATA)
    server.faults.append(Fault(cut=500_000, then=lambda: silence.wait(60)))
    monkeypatch.setattr("trax.models.download._TIMEOUT", 1.0)
    try:
        arrived(get(), DATA)
    finally:
        silence.set()
    assert "in time" in watcher.notes[0]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault(status=404), r"no file at http://127.0.0.1:\d+/some/model.bin \(404\)"),
        (Fault(status=410), r"no file at"),
        (Fault(status=401), r"does not give it to everybody \(401\).*HUGGINGFACE_TOKEN"),
        (Fault(status=403), r"HUGGINGFACE_TOKEN"),
        (Fault(status=400), r"answers 400 Bad Request"),
        (Fault(status=304), r"answers 304"),
        (Fault(headers={"Content-Type": "text/html; charset=utf-8"}), "web page in place of the file"),
        (Fault(headers={"Content-Encoding": "gzip"}), "packed"),
    ],
)
def test_what_is_no_file_is_told_in_words_and_not_written(server, get, watcher, tmp_path, fault, words):
    server.files[FILE] = Served(DATA)
    server.faults.append(fault)
    with pytest.raises(ModelError, match=words) as caught:
        get()
    assert not isinstance(caught.value, ModelUnreachable)
    assert not (tmp_path / "downloads").exists()
    assert watcher.waits == []


def test_a_wrong_length_is_told_before_a_byte_is_written(server, get, tmp_path):
    server.files |= {FILE: Served(DATA), "/empty": Served(b"")}
    with pytest.raises(ModelError, match="has 1024000 bytes and not the 1024001 that the catalogue knows"):
        get(size=len(DATA) + 1)
    with pytest.raises(ModelError, match="has 0 bytes"):
        get("/empty")
    assert not (tmp_path / "downloads").exists()


def test_lack_of_room_is_told_before_a_byte_is_written(server, get, tmp_path, monkeypatch):
    server.files[FILE] = Served(DATA)
    monkeypatch.setattr("trax.models.download.files.free_bytes", lambda _folder: len(DATA) + 10)
    with pytest.raises(DiskFull, match=r"1.0 MB more are needed, and 1.0 MB are free"):
        get(more_room=11)
    assert not (tmp_path / "downloads").exists()
    arrived(get(more_room=10), DATA)
