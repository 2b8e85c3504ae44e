from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from trax.cli import checks
from trax.cli.checks import FolderFacts
from trax.cli.doctor import folder_facts
from trax.config import Diarize, Settings, Stages

HERE = Path("/somewhere/inbox")
ASR = {"name": "ps", "kind": "asr", "engine": "pocketsphinx", "scope": "open", "problem": None}
WHISPER = {"name": "small", "kind": "asr", "engine": "whisper", "scope": "open", "problem": None}
DIGITS = {"name": "digits", "kind": "asr", "engine": "whisper", "scope": "digits", "problem": None}
VOICES = {"name": "ge2e", "kind": "embedding", "engine": "ge2e", "scope": "open", "problem": None}
VAD = {"name": "silero", "kind": "vad", "engine": "silero", "scope": "open", "problem": None}


@pytest.mark.parametrize(
    ("name", "facts", "level"),
    [
        ("inbox", FolderFacts(HERE, exists=True, is_folder=True, usable=True, mode=0o2770), "ok"),
        ("inbox", FolderFacts(HERE, exists=True, is_folder=True, usable=True, mode=0o2777), "warning"),
        ("inbox", FolderFacts(HERE, exists=True, is_folder=True, usable=False, mode=0o2770), "problem"),
        ("inbox", FolderFacts(HERE, exists=True, is_folder=True, readable=True, mode=0o2770), "problem"),
        ("outbox", FolderFacts(HERE, exists=True, is_folder=True, readable=True, mode=0o2750), "warning"),
        ("outbox", FolderFacts(HERE, exists=True, is_folder=True, mode=0o2700), "problem"),
        ("outbox", FolderFacts(HERE, exists=True, is_folder=True, readable=True, read_only=True, mode=0o2750), "problem"),
        ("inbox", FolderFacts(HERE, exists=True, is_folder=False), "problem"),
        ("inbox", FolderFacts(HERE, exists=False, parent_writable=True), "warning"),
        ("inbox", FolderFacts(HERE, exists=False), "problem"),
        ("inbox", FolderFacts(HERE, exists=True, is_folder=True, usable=True, mode=0o755), "ok"),
        ("state", FolderFacts(HERE, exists=True, is_folder=True, usable=True, mode=0o755), "warning"),
    ],
)
def test_folders(name: str, facts: FolderFacts, level: str) -> None:
    check = checks.folder(name, facts)
    assert check.level == level
    assert str(HERE) in check.found
    assert bool(check.advice) == (level != "ok")


def test_facts_are_those_of_the_folder(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    facts = folder_facts(tmp_path)
    assert (facts.exists, facts.is_folder, facts.readable, facts.usable, facts.mode & 0o777) == (True, True, True, True, 0o750)
    assert folder_facts(tmp_path / "none" / "none") == FolderFacts(tmp_path / "none" / "none", exists=False, parent_writable=True)
    (tmp_path / "file").touch()
    assert not folder_facts(tmp_path / "file").is_folder
    assert not folder_facts(tmp_path / "file" / "below").exists


def test_mounts() -> None:
    assert checks.mounts({"inbox": 1, "state": 1}).level == "ok"
    assert checks.mounts({}).level == "ok"
    assert checks.mounts({"inbox": 1, "state": 2}).level == "warning"


@pytest.mark.parametrize(("free", "level"), [(1e12, "ok"), (1.8e9, "warning"), (1e8, "problem")])
def test_room_is_measured_by_the_largest_recording_allowed(free: float, level: str) -> None:
    check = checks.room(free, Settings())  # 500 MB of source and 12 hours of decoded sound at 115.2 MB each: 1.9 GB
    assert check.level == level
    assert "1.9 GB" in check.found


def test_an_outbox_elsewhere_has_room_of_its_own() -> None:
    assert (checks.outbox_room(1e9).level, checks.outbox_room(1e7).level) == ("ok", "problem")


def test_the_processor() -> None:
    settings = Settings(max_workers=2)
    assert [check.level for check in checks.processor("x86_64", {"avx2", "fma", "f16c"}, 4, settings)] == ["ok", "ok"]
    assert [check.level for check in checks.processor("x86_64", {"fma"}, 1, settings)] == ["problem", "warning"]
    assert checks.processor("aarch64", {"asimd"}, 4, settings)[0].level == "ok"
    assert checks.processor("riscv64", set(), 4, settings)[0].level == "warning"


def test_memory_below_the_budget_is_a_warning() -> None:
    assert checks.memory(16e9, Settings()).level == "ok"
    assert checks.memory(4e9, Settings()).level == "warning"


def test_a_daemon_of_another_version_should_be_restarted() -> None:
    assert checks.daemon({"version": "2"}, "2").level == "ok"
    assert checks.daemon({"version": "1"}, "2").level == "warning"


def test_damage_in_the_ledger_is_a_warning() -> None:
    assert checks.ledger({"failed": 2, "queued": 0}, (), ()).found == "2 failed"
    for now, kept in (([Path("/x/ledger-a.json")], ()), ((), [Path("/x/ledger-a.json.damaged-5")])):
        check = checks.ledger({}, now, kept)
        assert "ledger-a.json" in check.found
        assert check.level == "warning"
        assert check.advice


@pytest.mark.parametrize(
    ("installed", "levels"),
    [
        ([WHISPER, VOICES, VAD], {"transcription": "ok", "speakers": "ok", "voice activity": "ok"}),
        ([ASR, VOICES, VAD], {"transcription": "warning", "speakers": "ok", "voice activity": "ok"}),
        ([DIGITS, VAD], {"transcription": "problem", "speakers": "problem", "voice activity": "ok"}),
        ([], {"transcription": "problem", "speakers": "problem", "voice activity": "problem"}),
        (
            [WHISPER | {"problem": "broken"}, ASR, VOICES, VAD],
            {"transcription": "warning", "speakers": "ok", "voice activity": "ok", "models": "problem"},
        ),
    ],
)
def test_models(installed: list[Mapping[str, Any]], levels: dict[str, str]) -> None:
    assert {check.subject: check.level for check in checks.models(installed, Settings())} == levels


def test_no_speaker_model_is_needed_where_nobody_asks_who_spoke() -> None:
    settings = Settings(stages=Stages(diarize=False), diarize=Diarize())
    assert {check.subject for check in checks.models([WHISPER, VAD], settings)} == {"transcription", "voice activity"}


def test_a_second_pass_that_is_asked_for_and_cannot_be_is_a_warning() -> None:
    asked = Settings(stages=Stages(refine=True))
    alone, both = {"asr": "small", "vad": "silero"}, {"asr": "small", "refine": "huge", "vad": "silero"}
    assert [(check := checks.second_pass(chosen, asked)) and check.level for chosen in (alone, both, {})] == ["warning", "ok", None]
    assert checks.second_pass(alone, Settings()) is None


def test_a_library_that_does_not_load_is_a_problem() -> None:
    good = {"name": "av", "version": "18", "problem": None}
    assert checks.libraries([good]).level == "ok"
    assert "ImportError" in checks.libraries([good, {"name": "x", "version": None, "problem": "ImportError: y"}]).found


@pytest.mark.parametrize(
    ("landlock", "seccomp", "level", "says"),
    [
        (7, True, "ok", "Landlock 7, system-call filter, no new privileges"),
        (0, True, "warning", "lacks Landlock; the decoder is kept in by: system-call filter"),
        (0, False, "warning", "lacks Landlock and a system-call filter; the decoder is kept in by: no new privileges"),
    ],
)
def test_what_the_kernel_has_to_keep_the_decoder_in_is_told(landlock: int, seccomp: bool, level: str, says: str) -> None:  # noqa: FBT001 - pytest hands it in
    check = checks.sandbox({"landlock": landlock, "seccomp": seccomp})
    assert check.level == level
    assert says in check.found
    assert bool(check.advice) is (level != "ok")
