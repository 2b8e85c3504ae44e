"""The answer for a recording that could not be processed: `<name>.error.json`. Described in docs/output.md."""

from __future__ import annotations

from trax.errors import TraxError
from trax.formats.json_ import SCHEMA_VERSION, encodable, laid_out


def render_error(error: TraxError, *, recording: str, job: str | None) -> str:
    """The answer as JSON: what happened, why, what to do about it, and whether trying again can help.

    Args:
        error: What stopped the job.
        recording: The name of what was dropped.
        job: The job's id; None where the recording never became a job.
    """
    answer = laid_out(
        {
            "schema_version": SCHEMA_VERSION,
            "recording": encodable(recording),
            "what": "This recording was not transcribed.",
            "why": encodable(error.what),
            "what_to_do": encodable(error.advice),
            "permanent": error.permanent,
            "code": error.code,
            "job": job,
        }
    )
    return b"".join(answer).decode()
