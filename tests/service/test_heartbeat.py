from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from trax.service.heartbeat import Heartbeat, seconds_for


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_loop_that_does_not_come_round_is_late_and_the_others_are_not() -> None:
    clock = Clock()
    heartbeat = Heartbeat(clock)
    inbox, queue = heartbeat.of("inbox"), heartbeat.of("queue")
    assert heartbeat.late() == ()
    for _ in range(100):
        clock.now += 10
        queue(60.0)
    assert heartbeat.late() == ("inbox",)
    inbox(5.0)
    assert heartbeat.late() == ()


def test_what_lawfully_takes_long_is_not_late_until_it_takes_longer() -> None:
    clock = Clock()
    heartbeat = Heartbeat(clock)
    heartbeat.of("inbox")(seconds_for(10 << 30))
    clock.now += 10_000
    assert heartbeat.late() == ()
    clock.now += 1000
    assert heartbeat.late() == ("inbox",)


def test_one_that_never_began_is_late_too() -> None:
    clock = Clock()
    heartbeat = Heartbeat(clock)
    heartbeat.of("inbox")
    clock.now += 3600
    assert heartbeat.late() == ("inbox",)


@given(st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 1e6)), min_size=1))
def test_whoever_comes_round_as_announced_is_never_late(turns: Sequence[tuple[float, float]]) -> None:
    clock = Clock()
    heartbeat = Heartbeat(clock)
    comes_round = heartbeat.of("queue")
    for announced, part in turns:
        comes_round(announced)
        clock.now += min(announced, part)
        assert heartbeat.late() == ()
