from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from attacks import Findings, Size, soak
from attacks.soak import Sample, judge, slope


def samples(memory: Callable[[int], int], *, files: Callable[[int], int] = lambda _jobs: 14) -> list[Sample]:
    return [Sample(jobs, 1, memory(jobs), files(jobs), 5) for jobs in range(20, 1001, 20)]


def test_the_slope_is_that_of_most_pairs_whatever_a_few_samples_say() -> None:
    line = [(float(x), 3.0 * x + 1.0) for x in range(20)]
    assert slope(line) == pytest.approx(3.0)
    assert slope([*line[:-2], (18.0, 1000.0), (19.0, -1000.0)]) == pytest.approx(3.0)


def test_a_daemon_that_grows_or_gathers_open_files_is_found_out() -> None:
    assert judge("traxd", samples(lambda jobs: 30_000_000 + 500 * jobs), is_daemon=True) == []
    (growing,) = judge("traxd", samples(lambda jobs: 30_000_000 + 2000 * jobs), is_daemon=True)
    assert "grows by 1.91 MB per 1,000 jobs" in growing
    (leaking,) = judge("traxd", samples(lambda _jobs: 30_000_000, files=lambda jobs: 14 + jobs // 300), is_daemon=True)
    assert "open files grew" in leaking


def test_what_is_loaded_in_the_first_jobs_is_no_growth() -> None:
    assert judge("traxd", samples(lambda jobs: 30_000_000 if jobs < 300 else 60_000_000), is_daemon=True) == []


def test_a_few_jobs_leave_nothing_behind(hold: Callable[[Callable[[Size, Path], Findings]], None]) -> None:
    hold(soak.attack)
