"""Only what may pass is retried, after a wait that survives a restart, from the last valid artefact and with the job's own settings."""

from __future__ import annotations

from collections.abc import Callable

from attacks import retries


def test_retries(hold: Callable[..., None]) -> None:
    hold(retries.attack)
