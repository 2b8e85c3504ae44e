"""How a running job stands: pure."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trax.pipeline.runner import Progress
from trax.service.progress import Live, followed


def after(*told: tuple[float, str | None, float], audio: float = 100.0) -> Live:
    """A job of which was told at these times: when, the stage, the fraction."""
    live = None
    for now, stage, fraction in told:
        live = followed(live, Progress(stage, fraction, audio), now)
    assert live is not None
    return live


def test_speed_and_time_left_are_of_what_this_attempt_did() -> None:
    live = after((10.0, "transcribe", 0.5), (20.0, "transcribe", 0.75))
    assert live.speed(20.0) == pytest.approx(2.5)
    assert live.eta_seconds(20.0) == pytest.approx(10.0)


def test_early_on_nothing_is_said() -> None:
    live = after((10.0, "decode", 0.0), (20.0, "decode", 0.01))
    assert (live.speed(20.0), live.eta_seconds(20.0)) == (None, None)


def test_while_it_waits_for_a_worker_it_is_in_no_stage_and_has_no_speed() -> None:
    live = after((0.0, "decode", 0.0), (1.0, "decode", 0.03), (1.0, None, 0.03))
    assert live.stage is None
    assert (live.speed(1000.0), live.eta_seconds(1000.0)) == (None, None)


@given(st.lists(st.floats(0.0, 1e5), min_size=1, max_size=10))
def test_waiting_takes_nothing_from_the_speed(waits: Sequence[float]) -> None:
    now, told = 0.0, [(0.0, "vad", 0.0)]
    for index, wait in enumerate(waits):
        now += 1.0
        told.append((now, None, (index + 1) / 20))
        now += wait
        told.append((now, "vad", (index + 1) / 20))
    assert after(*told).speed(now) == pytest.approx(100.0 / 20)


def test_seconds_of_audio_that_are_not_told_of_again_are_still_known() -> None:
    live = after((0.0, "decode", 0.0)).moved(Progress("vad", 0.5, None), 10.0)
    assert live.speed(10.0) == pytest.approx(5.0)
