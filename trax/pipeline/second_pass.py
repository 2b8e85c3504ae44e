"""What a transcript says of a second pass that was wished for and is not there. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from trax.config import JobSettings
from trax.errors import TraxError

FAILED = (
    "The second pass failed ({why}): the words are those of the first alone. "
    "`trax-ctl retry --current-settings` with the job's id tries it again."
)
HEARD_ONCE = (
    "There was no second pass, which the settings ask for: it needs {lacking}. `trax-ctl models list` shows which models go together; "
    "`trax-ctl models pull` brings them, or set stages.refine to false."
)


def on_second_pass(models: Mapping[str, Mapping[str, Any]], settings: JobSettings, error: TraxError | None) -> Iterator[str]:
    """At most one sentence.

    Args:
        models: What was used, by role; without `refine` there was no second pass.
        settings: The job's snapshot.
        error: Why there was none though there was a model for it.
    """
    if error is not None:
        yield FAILED.format(why=error.what.rstrip("."))
        return
    if settings.wants_second_pass and "refine" not in models:
        first = models.get("asr", {})
        is_whisper = first.get("engine") == "whisper"
        lacking = f"a better model beside {first.get('name')}" if is_whisper else "two Whisper models that go together"
        yield HEARD_ONCE.format(lacking=lacking)
