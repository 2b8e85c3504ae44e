from __future__ import annotations

import stat
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from trax.intake.settle import Resting, Sighting, look, next_look, settled

QUIET = 5.0
FILE = Sighting(size=100, modified=1, inode=7, device=1, mode=stat.S_IFREG | 0o644)

# What may happen to a file before each look, and how long after the one before the look is.
happenings = st.sampled_from(["nothing", "grows", "shrinks", "touched", "replaced", "event", "gone", "becomes a link"])
steps = st.lists(st.tuples(happenings, st.floats(0.01, 12.0)), max_size=40)


def happen(what: str, sighting: Sighting) -> Sighting:
    return {
        "grows": replace(sighting, size=sighting.size + 1),
        "shrinks": replace(sighting, size=max(0, sighting.size - 1), modified=sighting.modified + 1),
        "touched": replace(sighting, modified=sighting.modified + 1),
        "replaced": replace(sighting, inode=sighting.inode + 1),
        "becomes a link": replace(sighting, mode=stat.S_IFLNK, inode=sighting.inode + 1),
    }.get(what, sighting)


@given(steps)
def test_settled_is_exactly_what_was_seen_unchanged_for_the_quiet_time(story: list[tuple[str, float]]) -> None:
    known: dict[str, Resting] = {}
    now, sighting, since = 0.0, FILE, None
    for what, pause in story:
        now += pause
        sighting = happen(what, sighting)
        if what == "gone":
            known, since = look(known, {}, (), now), None
            assert settled(known, QUIET) == {}
            continue
        if since is None or what != "nothing":
            since = now
        known = look(known, {"talk": sighting}, {"talk"} if what == "event" else set(), now)
        assert settled(known, QUIET) == ({"talk": sighting} if now >= since + QUIET else {})
        assert next_look(known, QUIET) == since + QUIET


@given(st.lists(st.floats(0.01, 4.99), min_size=1, max_size=60))
def test_a_file_that_grows_more_often_than_the_quiet_time_is_waited_for(pauses: list[float]) -> None:
    known: dict[str, Resting] = {}
    now, sighting = 0.0, FILE
    for pause in pauses:
        for moment in (now + pause / 2, now + pause):
            known = look(known, {"talk": sighting}, (), moment)
            assert settled(known, QUIET) == {}
        now, sighting = now + pause, happen("grows", sighting)
    for moment in (now, now + QUIET):
        known = look(known, {"talk": sighting}, (), moment)
    assert settled(known, QUIET) == {"talk": sighting}


def test_one_look_is_never_enough_however_long_ago() -> None:
    known = look({}, {"talk": FILE}, (), 0.0)
    assert settled(known, QUIET) == {}
    assert settled(look(known, {"talk": FILE}, (), 1000.0), QUIET) == {"talk": FILE}


def test_the_first_to_rest_comes_first_and_permissions_do_not_matter() -> None:
    known = look({}, {"b": FILE}, (), 0.0)
    known = look(known, {"b": FILE, "a": FILE}, (), 1.0)
    known = look(known, {"b": replace(FILE, mode=stat.S_IFREG | 0o600), "a": FILE}, (), 10.0)
    assert list(settled(known, QUIET)) == ["b", "a"]


def test_nothing_to_wait_for() -> None:
    assert next_look({}, QUIET) is None
