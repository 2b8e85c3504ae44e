from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from trax import disk, files
from trax.errors import StorageError
from trax.intake.names import unique
from trax.pipeline.publish import is_published, publish, read_manifest, stage


def outputs(job: str, run: str, srt: str = "hello") -> dict[str, bytes]:
    """A transcript: its subtitles depend on what was heard only, its JSON on the run too, and names what belongs to it."""
    siblings = {".srt": srt.encode(), ".vtt": f"WEBVTT {srt}".encode()}
    checksums = {ending: hashlib.sha256(data).hexdigest() for ending, data in siblings.items()}
    return siblings | {".json": json.dumps({"job": job, "run": run, "siblings": checksums}).encode()}


def failure(job: str, run: str) -> dict[str, bytes]:
    return {".error.json": json.dumps({"job": job, "run": run, "siblings": {}}).encode()}


class Place:
    """An outbox, and the folders of jobs that publish there."""

    def __init__(self, root: Path) -> None:
        self.outbox, self.jobs = root / "outbox", root / "jobs"
        self.outbox.mkdir(parents=True, exist_ok=True)

    def folder(self, job: str) -> Path:
        folder = self.jobs / job
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def publish(self, job: str, run: str, data: Mapping[str, bytes], name: str = "talk") -> str:
        staged = stage(self.outbox, job, {ending: (output,) for ending, output in data.items()})
        return publish(self.outbox, self.folder(job), run, staged, lambda taken: unique(name, taken)).name

    def is_published(self, job: str, run: str) -> bool:
        return is_published(self.outbox, self.folder(job), run)

    def seen(self) -> dict[str, bytes]:
        """What somebody who looks into the outbox sees."""
        everything = (path for path in self.outbox.rglob("*") if path.is_file())
        return {str(path.relative_to(self.outbox)): path.read_bytes() for path in everything if ".trax" not in path.parts}


@pytest.fixture
def place(tmp_path) -> Place:
    return Place(tmp_path)


def test_a_file_in_the_place_of_a_subfolder_is_left_alone_and_said(place: Place) -> None:
    (place.outbox / "sub").write_text("in the way")
    with pytest.raises(StorageError, match="must be"):
        place.publish("a", "1", outputs("a", "1"), "sub/talk")
    assert place.seen() == {"sub": b"in the way"}
    (place.outbox / "sub").unlink()
    assert place.publish("a", "1", outputs("a", "1"), "sub/talk") == "sub/talk"


def test_a_subfolder_on_another_file_system_gets_its_outputs_whole(place: Place) -> None:
    shared_memory = Path("/dev/shm")
    if not shared_memory.is_dir() or shared_memory.stat().st_dev == place.outbox.stat().st_dev:
        pytest.skip("there is no second file system here")
    with tempfile.TemporaryDirectory(dir=shared_memory) as elsewhere:
        (place.outbox / "sub").symlink_to(elsewhere)
        assert place.publish("a", "1", outputs("a", "1"), "sub/talk") == "sub/talk"
        assert place.publish("a", "2", outputs("a", "2", "other"), "sub/talk") == "sub/talk"
        assert {path.name: path.read_bytes() for path in Path(elsewhere).iterdir()} == named("talk", outputs("a", "2", "other"))
        assert place.is_published("a", "2")


def named(name: str, data: Mapping[str, bytes]) -> dict[str, bytes]:
    return {name + ending: content for ending, content in data.items()}


# -- without a crash


def test_the_outputs_are_there_under_the_wanted_name_and_nothing_else_is(place):
    assert place.publish("a", "1", outputs("a", "1"), "meetings/talk") == "meetings/talk"
    assert place.seen() == named("meetings/talk", outputs("a", "1"))
    assert list((place.outbox / ".trax").iterdir()) == []
    assert place.is_published("a", "1")
    assert not place.is_published("a", "2")
    assert (place.outbox / "meetings" / "talk.srt").stat().st_mode & 0o777 == files.FILE_MODE


def test_the_outputs_belong_to_the_group_of_the_outbox(place):
    place.outbox.chmod(0o2750)
    with contextlib.suppress(PermissionError):  # only root may give a folder to any group
        os.chown(place.outbox, -1, 12345)
    group = place.outbox.stat().st_gid
    place.publish("a", "1", outputs("a", "1"), "meetings/talk")
    assert {path.stat().st_gid for path in place.outbox.rglob("*")} == {group}


@pytest.mark.parametrize("suffix", [".json", ".error.json", ".srt", ".txt", ".ctm"])
def test_a_name_that_any_output_of_another_has_is_taken(place, suffix):
    (place.outbox / f"talk{suffix}").write_bytes(b"another's")
    assert place.publish("a", "1", outputs("a", "1")) == "talk (2)"
    assert place.seen() == {f"talk{suffix}": b"another's"} | named("talk (2)", outputs("a", "1"))


@pytest.mark.parametrize("kind", ["folder", "dangling link"])
def test_a_name_taken_by_something_that_is_no_file_is_taken(place, kind):
    odd = place.outbox / "talk.srt"
    odd.mkdir() if kind == "folder" else odd.symlink_to("nowhere")
    assert place.publish("a", "1", outputs("a", "1")) == "talk (2)"


def test_a_retry_replaces_its_own_and_removes_what_it_no_longer_has(place):
    place.publish("a", "1", failure("a", "1"))
    place.publish("a", "2", outputs("a", "2"))
    assert place.seen() == named("talk", outputs("a", "2"))
    fewer = {".json": outputs("a", "3")[".json"]}
    place.publish("a", "3", fewer)
    assert place.seen() == named("talk", fewer)


def test_a_persons_corrections_stay_and_the_retry_takes_another_name(place):
    place.publish("a", "1", outputs("a", "1"))
    (place.outbox / "talk.srt").write_bytes(b"corrected")
    assert place.publish("a", "2", outputs("a", "2")) == "talk (2)"
    assert place.seen() == {"talk.srt": b"corrected"} | named("talk (2)", outputs("a", "2"))


def test_the_same_subtitles_of_another_job_are_not_ones_own(place):
    place.publish("a", "1", outputs("a", "1"))
    for path in place.outbox.glob("talk.*"):
        path.unlink()  # a person took them away
    place.publish("b", "1", outputs("b", "1"))  # the same recording again: the same subtitles to the byte
    assert place.publish("a", "2", outputs("a", "2")) == "talk (2)"
    assert place.seen() == named("talk", outputs("b", "1")) | named("talk (2)", outputs("a", "2"))


def test_a_failures_answer_is_no_published_transcript(place):
    place.publish("a", "1", failure("a", "1"))
    assert not place.is_published("a", "1")


def test_what_was_changed_or_taken_away_is_not_published(place):
    place.publish("a", "1", outputs("a", "1"))
    (place.outbox / "talk.vtt").write_bytes(b"corrected")
    assert not place.is_published("a", "1")
    (place.outbox / "talk.vtt").unlink()
    assert not place.is_published("a", "1")


@pytest.mark.parametrize("manifest", [b"", b"[]", b"{}", b'{"run": "1", "name": "talk", "files": 3, "former": []}'])
def test_a_damaged_manifest_owns_nothing(place, manifest):
    place.publish("a", "1", outputs("a", "1"))
    (place.folder("a") / "published.json").write_bytes(manifest)
    assert read_manifest(place.folder("a")).all_hashes == {}
    assert place.publish("a", "2", outputs("a", "2")) == "talk (2)"


@pytest.mark.parametrize("ending", [".srt", ".vtt", ".json"])
def test_a_name_taken_after_it_was_chosen_is_left_to_whoever_took_it(place, monkeypatch, ending):
    write = files.write_bytes

    def write_slowly(path: Path, data: bytes, mode: int = files.FILE_MODE) -> None:
        write(path, data, mode)
        if path.name == "published.json" and not (place.outbox / f"talk{ending}").exists():
            (place.outbox / f"talk{ending}").write_bytes(b"a person's")

    monkeypatch.setattr(files, "write_bytes", write_slowly)
    assert place.publish("a", "1", outputs("a", "1")) == "talk (2)"
    assert place.seen() == {f"talk{ending}": b"a person's"} | named("talk (2)", outputs("a", "1"))
    assert place.is_published("a", "1")


def test_a_caller_who_insists_on_a_name_replaces_what_is_there(place):
    for run in ("1", "2"):
        staged = stage(place.outbox, f"job-{run}", {ending: (data,) for ending, data in outputs("a", run).items()})
        publish(place.outbox, place.folder(f"job-{run}"), run, staged, lambda _taken: "talk")
    assert place.seen() == named("talk", outputs("a", "2"))


# -- killed at every step


class Killed(BaseException):
    """The process is gone."""


@contextlib.contextmanager
def killed_at(step: int) -> Iterator[list[str]]:
    """From the `step`-th change of the disk on, every change fails: as far as the disk is concerned, the process was killed."""
    steps: list[str] = []

    def count(operation: disk.Operation, _path: Path, _made: Path | None) -> None:
        steps.append(operation)
        if len(steps) >= step:
            raise Killed

    with pytest.MonkeyPatch.context() as patch, contextlib.suppress(Killed):
        patch.setattr(disk, "observer", count)
        yield steps


@pytest.fixture
def fast_disk(monkeypatch):
    """Waiting for the disk some thousand times would only take long: what is killed here is the process, not the machine."""
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)


def fresh(place: Place) -> None:
    """A first publication into an empty outbox."""


def published_before(place: Place) -> None:
    place.publish("a", "1", outputs("a", "1", srt="other words"))


def failed_before(place: Place) -> None:
    place.publish("a", "1", failure("a", "1"))


def beside_another(place: Place) -> None:
    place.publish("b", "1", outputs("b", "1"))


def corrected_by_a_person(place: Place) -> None:
    place.publish("a", "1", outputs("a", "1"))
    (place.outbox / "talk.vtt").write_bytes(b"corrected")


def taken_away_and_taken_over(place: Place) -> None:
    place.publish("a", "1", outputs("a", "1"))
    for path in place.outbox.glob("talk.*"):
        path.unlink()
    beside_another(place)


BEFORE = [fresh, published_before, failed_before, beside_another, corrected_by_a_person, taken_away_and_taken_over]


@pytest.mark.parametrize("data", [outputs("a", "2"), failure("a", "2")], ids=["transcript", "failure"])
@pytest.mark.parametrize("before", BEFORE, ids=lambda before: before.__name__)
def test_killed_anywhere_and_called_again_it_ends_the_same(tmp_path, fast_disk, before, data):
    clean = Place(tmp_path / "clean")
    before(clean)
    others = {name: content for name, content in clean.seen().items() if b'"a"' not in content and belongs_to_others(name, before)}
    with killed_at(10_000) as steps:
        clean.publish("a", "2", data)
    expected = clean.seen()
    assert len(steps) > 10
    for step in range(1, len(steps) + 1):
        place = Place(tmp_path / f"step-{step}")
        before(place)
        with killed_at(step):
            place.publish("a", "2", data)
        seen = place.seen()
        assert others.items() <= seen.items(), f"another's file was touched (killed at step {step})"
        check_every_json_is_complete(seen)
        if place.is_published("a", "2"):
            assert seen == expected, "recovery would take this for done"
        files.remove_temporaries(place.outbox / ".trax")  # as at each start
        place.publish("a", "2", data)
        assert place.seen() == expected
        assert list((place.outbox / ".trax").iterdir()) == []


def belongs_to_others(name: str, before: Callable[[Place], None]) -> bool:
    if before is corrected_by_a_person:
        return name == "talk.vtt"
    return before in (beside_another, taken_away_and_taken_over)


def check_every_json_is_complete(seen: Mapping[str, bytes]) -> None:
    for name in seen:
        if name.endswith(".json") and not name.endswith(".error.json"):
            for ending, checksum in json.loads(seen[name])["siblings"].items():
                sibling = seen[name.removesuffix(".json") + ending]
                assert hashlib.sha256(sibling).hexdigest() == checksum or sibling == b"corrected"


def test_killed_on_the_way_and_retried_with_another_result_only_the_last_is_there(tmp_path, fast_disk):
    with killed_at(10_000) as steps:
        Place(tmp_path / "clean").publish("a", "1", outputs("a", "1"))
    for step in range(1, len(steps) + 1):
        place = Place(tmp_path / f"step-{step}")
        with killed_at(step):
            place.publish("a", "1", outputs("a", "1"))
        place.publish("a", "2", outputs("a", "2", srt="better words"))
        assert place.seen() == named("talk", outputs("a", "2", srt="better words"))


def test_a_file_that_may_not_be_read_is_somebody_elses(place, monkeypatch):
    place.publish("a", "1", outputs("a", "1"))

    def refuse(path: Path) -> str:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(files, "sha256_of", refuse)
    assert not place.is_published("a", "1")
    assert place.publish("a", "2", outputs("a", "2")) == "talk (2)"
    assert place.seen() == named("talk", outputs("a", "1")) | named("talk (2)", outputs("a", "2"))
