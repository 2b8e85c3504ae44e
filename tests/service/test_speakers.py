"""People who were enrolled are named in every output, and forgotten when asked."""

from __future__ import annotations

import json
import shutil
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from appliance import trax_ctl
from rig import CONVERSATION, FORMATS, PATIENCE, QUICK, Traxd, stamps

from trax.jobs.job import Job, Status

#: Two voices of a synthesiser; what is right for people is measured elsewhere.
LOOKED_FOR: dict[str, Any] = {**QUICK, "diarize": {"profiles": True, "profile_accept": 0.75, "profile_suggest": 0.6}}


@pytest.fixture(scope="session")
def clips(cut: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """What each of the two says in the second half of the conversation, a file each."""
    folder = tmp_path_factory.mktemp("clips")
    found = {}
    for turn in json.loads(CONVERSATION.with_suffix(".json").read_text())["turns"]:
        if turn["start"] > 14:
            found.setdefault(turn["speaker"], []).append(cut(turn["start"], turn["end"]))
    for name, several in found.items():
        for number, path in enumerate(several):
            shutil.copyfile(path, folder / f"{name.lower()}-{number}.wav")
    return dict.fromkeys(found, folder)


def clips_of(clips: dict[str, Path], name: str) -> list[str]:
    return [str(path) for path in sorted(clips[name].glob(f"{name.lower()}-*.wav"))]


def ctl(root: Path, *arguments: str) -> dict[str, Any]:
    done = subprocess.run(trax_ctl(root, "--json", *arguments), capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    answer = json.loads(done.stdout)
    assert isinstance(answer, dict)
    return answer


def rediarized(traxd: Traxd, before: Job, *options: str) -> Job:
    assert ctl(traxd.root, "rediarize", *options, before.id)["rediarized"] == [before.id]
    return changed(traxd, before)


def changed(traxd: Traxd, before: Job) -> Job:
    traxd.wait_until(lambda: (job := traxd.job(before.source_name)).started != before.started and job.is_finished, PATIENCE)
    return traxd.wait_for(before.source_name, Status.COMPLETED)


def labels(traxd: Traxd) -> list[str]:
    return [speaker["label"] for speaker in traxd.transcript("talk")["speakers"]]


def test_those_enrolled_are_named_everywhere_until_they_are_forgotten(
    tmp_path: Path, cut: Callable[..., Path], clips: dict[str, Path]
) -> None:
    with Traxd(tmp_path, LOOKED_FOR) as traxd:
        speakers = traxd.state / "speakers"
        enrolled = ctl(tmp_path, "speakers", "enroll", "Roger", *clips_of(clips, "Roger"))
        assert enrolled["problem"] is None
        for path in (speakers, *speakers.rglob("*")):
            assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600) or path.name == ".lock", path

        traxd.put(cut(0.0, 14.0), "talk.wav")
        done = traxd.wait_for("talk.wav", Status.COMPLETED)
        assert labels(traxd) == ["Roger", "SPEAKER_01"]
        profile = traxd.transcript("talk")["speakers"][0]["profile"]
        assert (profile["name"], profile["accepted"]) == ("Roger", True)
        assert profile["similarity"] >= 0.75
        for ending in FORMATS:
            assert "Roger" in (traxd.outbox / f"talk.{ending}").read_text(), ending

        # Another clip, dropped by hand: what is done stays as it is until asked.
        made = stamps(traxd.folder("archive", done))
        (speakers / "Susan").mkdir()
        for clip in clips_of(clips, "Susan"):
            shutil.copy(clip, speakers / "Susan")
        assert [known["name"] for known in ctl(tmp_path, "speakers", "list")["speakers"]] == ["Roger", "Susan"]
        assert stamps(traxd.folder("archive", done)) == made
        both = rediarized(traxd, done)
        assert labels(traxd) == ["Roger", "Susan"]
        assert {name for name, stamp in stamps(traxd.folder("archive", done)).items() if stamp != made[name]} == {"names.stamp"}

        assert ctl(tmp_path, "speakers", "rename", "Susan", "Susan Berg")["name"] == "Susan Berg"
        renamed = rediarized(traxd, both)
        assert labels(traxd) == ["Roger", "Susan Berg"]
        nobody = rediarized(traxd, renamed, "--no-profiles")
        assert labels(traxd) == ["SPEAKER_00", "SPEAKER_01"]
        again = rediarized(traxd, nobody)

        assert ctl(tmp_path, "speakers", "forget", "--yes", "Roger")["rewritten"] == [done.id]
        after = changed(traxd, again)
        assert labels(traxd) == ["SPEAKER_00", "Susan Berg"]
        kept = [path for root in (traxd.state, traxd.outbox) for path in root.rglob("*") if path.is_file() and path.name != "source"]
        assert [path for path in kept if b"Roger" in path.read_bytes()] == []

        (traxd.outbox / "talk.json").write_text((traxd.outbox / "talk.json").read_text() + "\n")  # a person's own version
        forgotten = ctl(tmp_path, "speakers", "forget", "--yes", "Susan Berg")
        assert (forgotten["rewritten"], forgotten["outputs"]) == ([done.id], [])
        assert changed(traxd, after).output_name == "talk (2)"
        assert list(speakers.glob("[!.]*")) == []


def test_without_a_daemon_the_voice_goes_at_once_and_the_names_when_it_starts(
    tmp_path: Path, cut: Callable[..., Path], clips: dict[str, Path]
) -> None:
    with Traxd(tmp_path, LOOKED_FOR) as traxd:
        ctl(tmp_path, "speakers", "enroll", "Roger", "--discard-clips", *clips_of(clips, "Roger"))
        assert [path.name for path in (traxd.state / "speakers" / "Roger").iterdir()] == ["profile.json"]
        traxd.put(cut(0.0, 14.0), "talk.wav")
        done = traxd.wait_for("talk.wav", Status.COMPLETED)
        assert labels(traxd) == ["Roger", "SPEAKER_01"]
    assert ctl(tmp_path, "speakers", "forget", "--yes", "Roger")["forgotten"] == "Roger"
    assert not (traxd.state / "speakers" / "Roger").exists()
    with Traxd(tmp_path, LOOKED_FOR) as traxd:
        changed(traxd, done)
        assert labels(traxd) == ["SPEAKER_00", "SPEAKER_01"]
        assert list((traxd.state / "requests").iterdir()) == []


def test_what_cannot_be_enrolled_is_refused_in_words(tmp_path: Path, clips: dict[str, Path]) -> None:
    with Traxd(tmp_path, QUICK) as traxd:
        (tmp_path / "broken.wav").write_bytes(b"RIFF no sound")
        (tmp_path / "notes.txt").write_text("no sound")
        good = clips_of(clips, "Roger")[0]
        for name, file, what in (
            ("Roger", tmp_path / "broken.wav", "was not enrolled"),
            ("Roger", tmp_path / "notes.txt", "is no recording"),
            ("SPEAKER_07", good, "whom it does not know"),
            ("../x", good, "cannot be a name"),
            (".x", good, "cannot be a name"),
        ):
            assert what in ctl(tmp_path, "speakers", "enroll", name, str(file))["error"]["what"]
        assert list((traxd.state / "speakers").glob("[!.]*")) == []
        too_short = ctl(tmp_path, "speakers", "enroll", "Roger", good)
        assert "5 s are the least" in too_short["problem"]
        assert "Nobody called" in ctl(tmp_path, "speakers", "rename", "Nobody", "Somebody")["error"]["what"]
