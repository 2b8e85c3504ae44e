"""Was this recording done before? Pure."""

from __future__ import annotations

from trax.jobs.job import Job, Status


def earlier_result(job: Job, earlier: Job | None, *, outputs_exist: bool) -> Job | None:
    """The job whose result answers `job` as well, or None: then it needs a run of its own.

    `earlier` is what `Seen.find` knew of the same bytes, and `outputs_exist` whether all it wrote is still in the outbox.
    A result made with other settings is not the one that would be made now.
    """
    if earlier is None or earlier.id == job.id or earlier.status is not Status.COMPLETED or not outputs_exist:
        return None
    return earlier if earlier.media_id == job.media_id and earlier.settings_hash == job.settings_hash else None
