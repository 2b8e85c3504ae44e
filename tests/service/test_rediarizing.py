"""The speakers of a transcribed recording are told apart once more, from what is kept of it."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from appliance import trax_ctl
from rig import FORMATS, PATIENCE, QUICK, Traxd, stamps

from trax import files
from trax.jobs.folders import SOURCE_FILE
from trax.jobs.job import Job, Status

ONE_VOICE = {"min_speakers": 1, "max_speakers": 1}


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, cut: Callable[..., Path]) -> tuple[Path, Job]:
    """A root in which two voices were transcribed, and the job."""
    root = tmp_path_factory.mktemp("done")
    with Traxd(root, QUICK) as traxd:
        traxd.put(cut(0.0, 14.0), "talk.wav")
        return root, traxd.wait_for("talk.wav", Status.COMPLETED)


@pytest.fixture
def root(tmp_path: Path, done: tuple[Path, Job]) -> Path:
    """A copy of it for one test."""
    root = tmp_path / "root"
    shutil.copytree(done[0], root, ignore=shutil.ignore_patterns("*.sock"))
    config = root / "trax.yaml"
    config.write_text(config.read_text().replace(str(done[0]), str(root)))
    return root


def speakers(transcript: Mapping[str, Any]) -> int:
    return len({turn["speaker"] for turn in transcript["turns"]})


def ctl(root: Path, *arguments: str) -> dict[str, Any]:
    done = subprocess.run(trax_ctl(root, "--json", *arguments), capture_output=True, text=True, check=False)
    answer = json.loads(done.stdout)
    assert isinstance(answer, dict)
    return answer


def wait_until_changed(traxd: Traxd, before: Job) -> Job:
    """Wait until the job is completed by another run."""
    traxd.wait_until(lambda: (job := traxd.job(before.source_name)).started != before.started and job.is_finished, PATIENCE)
    return traxd.wait_for(before.source_name, Status.COMPLETED)


def test_only_what_depends_on_it_is_made_again_without_the_recording_and_the_former_is_kept(root: Path, done: tuple[Path, Job]) -> None:
    _, before = done
    with Traxd(root, QUICK) as traxd:
        archive = traxd.folder("archive", before)
        (archive / SOURCE_FILE).unlink()
        made, answers = stamps(archive), {ending: (traxd.outbox / f"talk.{ending}").read_bytes() for ending in FORMATS}
        words = [word["word"] for word in traxd.transcript("talk")["word_segments"]]
        assert speakers(traxd.transcript("talk")) == 2

        assert ctl(root, "rediarize", "--speakers", "1", "talk") == {"rediarized": [before.id], "refused": []}
        after = wait_until_changed(traxd, before)
        assert speakers(transcript := traxd.transcript("talk")) == 1
        assert [word["word"] for word in transcript["word_segments"]] == words
        assert {name for name, stamp in stamps(archive).items() if stamp != made[name]} == {"turns.stamp"}
        assert after.settings == {**before.settings, "diarize": {**before.settings["diarize"], **ONE_VOICE}}
        assert sorted(path.name for path in traxd.outbox.glob("*")) == sorted([".trax", *(f"talk.{ending}" for ending in FORMATS)])

        former = [Path(path) for path in traxd.ask("show", job="talk")["former"]]
        assert {path.suffix[1:]: path.read_bytes() for path in former} == answers
        assert {path.parent.parent for path in former} == {archive / "former"}
        assert ctl(root, "purge", "--yes", "talk")["purged"] == [before.id]
        assert not any(path.exists() for path in former)


def test_what_a_person_corrected_stays_as_it_is(root: Path, done: tuple[Path, Job]) -> None:
    _, before = done
    with Traxd(root, QUICK) as traxd:
        (traxd.outbox / "talk.srt").write_text("corrected by hand")
        traxd.ask("rediarize", jobs=["talk"], diarize=ONE_VOICE)
        assert wait_until_changed(traxd, before).output_name == "talk (2)"
        assert (traxd.outbox / "talk.srt").read_text() == "corrected by hand"
        assert speakers(traxd.transcript("talk (2)")) == 1
        assert "talk.srt" not in {Path(path).name for path in traxd.ask("show", job="talk (2)")["former"]}


def test_asked_without_a_daemon_it_is_done_at_start(root: Path, done: tuple[Path, Job]) -> None:
    _, before = done
    assert ctl(root, "rediarize", "--speakers", "1", "talk")["requested"] == [before.id]
    with Traxd(root, QUICK) as traxd:
        wait_until_changed(traxd, before)
        assert speakers(traxd.transcript("talk")) == 1


def test_what_cannot_be_is_refused_in_words(root: Path, done: tuple[Path, Job]) -> None:
    _, job = done

    def refusal(*arguments: str) -> str:
        (refused,) = ctl(root, "rediarize", *arguments)["refused"]
        return f"{refused['error']['what']} {refused['error']['advice']}"

    def ask() -> None:
        assert "At least 11 speakers are more than at most 10" in refusal("--min-speakers", "11", "talk")
        assert "no job" in refusal("nobody")
        (archive / "embeddings.npz").rename(archive / "aside")
        assert "what the stage embed made is no longer kept" in refusal("talk")
        assert "retry --current-settings" in refusal("talk")
        (archive / "aside").rename(archive / "embeddings.npz")
        archive.rename(root / "aside")
        assert "Drop it into the inbox again" in refusal("talk")
        (root / "aside").rename(archive)

    archive = root / "state" / "archive" / job.id
    ask()
    with Traxd(root, QUICK) as traxd:
        ask()
        (refused,) = traxd.ask("rediarize", jobs=["talk"], diarize={"max_speakers": "two"})["refused"]
        assert "diarize.max_speakers" in refused["error"]["what"]
        (refused,) = traxd.ask("rediarize", jobs=["talk"], diarize={"model": "other"})["refused"]
        assert "model cannot be changed so" in refused["error"]["what"]
        assert traxd.job("talk.wav").finished == job.finished


def test_when_it_fails_the_former_transcript_stands_and_the_job_says_why(root: Path, done: tuple[Path, Job]) -> None:
    _, before = done
    with Traxd(root, QUICK) as traxd:
        answer = (traxd.outbox / "talk.json").read_bytes()
        archive = traxd.folder("archive", before)
        (archive / "embeddings.npz").write_bytes(b"no embeddings")
        stamp = json.loads((archive / "embeddings.stamp").read_text())
        (archive / "embeddings.stamp").write_text(json.dumps({**stamp, "file": files.sha256_of(archive / "embeddings.npz")}))
        traxd.ask("rediarize", jobs=["talk"], diarize=ONE_VOICE)
        traxd.wait_until(lambda: traxd.job("talk.wav").error is not None and traxd.job("talk.wav").is_finished, PATIENCE)
        after = traxd.wait_for("talk.wav", Status.COMPLETED)
        assert "embeddings cannot be read" in str(after.error)
        assert (after.settings_hash, after.finished, after.started) == (before.settings_hash, before.finished, before.started)
        assert (traxd.outbox / "talk.json").read_bytes() == answer
        assert not traxd.errors()
        assert traxd.ask("show", job="talk")["former"] == []
