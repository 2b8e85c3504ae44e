from __future__ import annotations

from typing import Any

import pytest

from trax.config import Settings, job_settings, snapshot
from trax.errors import WorkerCrashed
from trax.pipeline.second_pass import on_second_pass


@pytest.mark.parametrize(
    ("wanted", "models", "told"),
    [
        ({"stages": {"refine": True}}, {"asr": {"engine": "pocketsphinx", "name": "p"}}, "it needs two Whisper models that go together"),
        ({"stages": {"refine": True}}, {"asr": {"engine": "whisper", "name": "huge"}}, "it needs a better model beside huge"),
        ({"asr": {"refine_model": "huge"}}, {"asr": {"engine": "whisper", "name": "huge"}}, "it needs a better model beside huge"),
        ({"stages": {"refine": True}}, {"asr": {"engine": "whisper", "name": "small"}, "refine": {"name": "huge"}}, None),
        ({"stages": {"refine": "auto"}}, {"asr": {"engine": "whisper", "name": "huge"}}, None),
        ({"asr": {"refine_model": "huge"}, "stages": {"refine": False}}, {"asr": {"engine": "whisper", "name": "huge"}}, None),
    ],
)
def test_a_second_pass_that_was_asked_for_and_cannot_be_is_told(wanted: dict[str, Any], models: dict[str, Any], told: str | None) -> None:
    asked = job_settings(snapshot(Settings.model_validate(wanted)))
    warnings = list(on_second_pass(models, asked, None))
    assert len(warnings) == (told is not None)
    assert told is None or told in warnings[0]


def test_one_that_failed_is_told_with_why_and_how_to_ask_for_it_again() -> None:
    asked = job_settings(snapshot(Settings()))
    (told,) = on_second_pass({"asr": {"engine": "whisper"}}, asked, WorkerCrashed("The worker ended by signal 9."))
    assert "(The worker ended by signal 9)" in told
    assert "--current-settings" in told
