"""What uses a model, and removing one: real commands and tools over a real ledger, with the plans that jobs keep in their folders."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from trax.cli.model_users import check_unused, naming, unfinished_jobs
from trax.config import Settings, settings_hash, snapshot
from trax.errors import LedgerError, ModelError
from trax.jobs import job as machine
from trax.jobs.folders import StateFolders
from trax.jobs.job import Job
from trax.jobs.ledger import Ledger
from trax.pipeline import artefacts
from trax.pipeline.artefacts import Made
from trax.pipeline.stages import PLAN

Ctl = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def ledger(settings: Settings) -> Ledger:
    folders = StateFolders(settings.state_folder)
    folders.make()
    return Ledger(folders.ledger)


@pytest.fixture
def own(trax_ctl: Ctl, write_ggml: Callable[..., Path]) -> str:
    """The name of an added model."""
    added = trax_ctl("models", "add", str(write_ggml()), "--scope", "digits")
    assert added.returncode == 0, added.stderr
    return added.stdout.strip()


def queued(job_id: str, settings: Settings) -> Job:
    plain, now = snapshot(settings), time.time()
    new = Job(job_id, f"{job_id}.mp3", job_id, ("decode",), plain, settings_hash(plain), created=now, changed=now)
    return machine.accept(new, media_id="0" * 64, size=10, now=now)


def with_settings(settings: Settings, **changed: Any) -> Settings:
    return Settings.model_validate({**settings.model_dump(exclude_unset=True), **changed})


def plan(settings: Settings, job: Job, name: str) -> None:
    """Leave the plan of a job that began with this model."""
    folder = StateFolders(settings.state_folder).work / job.id
    folder.mkdir(parents=True, exist_ok=True)
    artefacts.record(folder, PLAN, Made("a" * 32, {"asr": {"name": name}, "vad": {"name": "silero-vad"}, "embedding": None}, 0.1))


def listed(trax_ctl: Ctl) -> dict[str, dict[str, Any]]:
    shown = trax_ctl("models", "list", "--json")
    assert shown.returncode == 0, shown.stderr
    return {model["name"]: model for model in json.loads(shown.stdout)["models"]}


def test_settings_name_models() -> None:
    named = Settings.model_validate({"asr": {"fast_model": "own"}, "diarize": {"model": "own"}})
    assert naming(named, "own") == ("asr.fast_model", "diarize.model")
    assert naming(Settings(), "own") == ()


def test_jobs_need_what_their_settings_or_their_plan_name(settings: Settings, ledger: Ledger) -> None:
    waits = queued("20261122-190512-000001", with_settings(settings, asr={"fast_model": "own"}))
    began = queued("20261122-190512-000002", settings)
    done = machine.complete(machine.start(replace(waits, id="20261122-190512-000003"), time.time()), time.time())
    for job in (waits, began, done):
        ledger.put(job)
        plan(settings, job, "own" if job is not waits else "pocketsphinx-en-us")
    users = unfinished_jobs(settings)
    assert sorted(users["own"]) == [waits.id, began.id]
    assert users["pocketsphinx-en-us"] == [waits.id]
    assert sorted(users["silero-vad"]) == [waits.id, began.id]


def test_what_is_needed_is_not_removed(settings: Settings, ledger: Ledger) -> None:
    check_unused(settings, "own")
    with pytest.raises(ModelError, match=r"asr.fast_model names own: .*Set asr.fast_model to auto"):
        check_unused(with_settings(settings, asr={"fast_model": "own"}), "own")
    for number in range(5):
        job = queued(f"20261122-190512-00000{number}", settings)
        ledger.put(job)
        plan(settings, job, "own")
    with pytest.raises(ModelError, match=r"5 unfinished jobs need own: 20261122-190512-000000, .*, …\. .*trax-ctl cancel"):
        check_unused(settings, "own")


def test_without_a_ledger_no_job_needs_anything(settings: Settings) -> None:
    assert unfinished_jobs(settings) == {}


def test_a_damaged_ledger_keeps_models_where_they_are(settings: Settings, ledger: Ledger) -> None:
    ledger.put(queued("20261122-190512-000001", settings))
    for snapshot_file in StateFolders(settings.state_folder).ledger.iterdir():
        snapshot_file.write_bytes(b"damaged")
    with pytest.raises(LedgerError):
        check_unused(settings, "own")


def test_the_list_says_what_uses_each_model(settings: Settings, ledger: Ledger, own: str, trax_ctl: Ctl) -> None:
    job = queued("20261122-190512-000001", with_settings(settings, asr={"fast_model": own}))
    ledger.put(job)
    models = listed(trax_ctl)
    assert models[own]["used_by"] == {"settings": [], "auto": False, "jobs": [job.id]}
    assert models["pocketsphinx-en-us"]["used_by"] == {"settings": [], "auto": True, "jobs": []}


def test_a_model_is_removed_once_nothing_needs_it(root: Path, own: str, trax_ctl: Ctl) -> None:
    (root / "trax.yaml").write_text(f"root: {root}\nasr:\n  fast_model: {own}\n")
    assert listed(trax_ctl)[own]["used_by"]["settings"] == ["asr.fast_model"]
    refused = trax_ctl("models", "remove", own)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "asr.fast_model names own" in refused.stderr

    (root / "trax.yaml").write_text(f"root: {root}\n")
    removed = trax_ctl("models", "remove", own)
    assert (removed.returncode, removed.stdout) == (0, "own\n"), removed.stderr
    assert own not in listed(trax_ctl)


def test_a_damaged_model_can_be_removed_though_settings_name_it(root: Path, own: str, trax_ctl: Ctl) -> None:
    """To add it again, which the findings advise."""
    (root / "trax.yaml").write_text(f"root: {root}\nasr:\n  fast_model: {own}\n")
    (root / "state" / "models" / own / "card.json").unlink()
    removed = trax_ctl("models", "remove", own)
    assert removed.returncode == 0, removed.stderr
    assert not (root / "state" / "models" / own).exists()


@pytest.mark.parametrize(("name", "words"), [("ge2e", "came with Trax and stays"), ("--none", "argument"), ("no-such", "no model named")])
def test_what_cannot_be_removed_is_said(name: str, words: str, trax_ctl: Ctl) -> None:
    refused = trax_ctl("models", "remove", name)
    assert refused.returncode in (1, 2)
    assert words in refused.stderr
