"""Was this recording done before? Pure."""

from __future__ import annotations

from trax.jobs.job import Job, Status


def has_earlier_result(job: Job, earlier: Job | None, *, is_kept: bool) -> bool:
    """Whether what `earlier` found is the answer to `job` as well, or the job needs a run of its own.

    `earlier` is what is known to be of the same bytes, and `is_kept` says that what it found still lies in the archive.
    """
    if earlier is None or earlier.id == job.id or earlier.status is not Status.COMPLETED:
        return False
    return is_kept and earlier.media_id == job.media_id
