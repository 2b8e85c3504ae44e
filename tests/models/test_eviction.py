from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from trax.models.eviction import Held, evictions

keys = st.sampled_from("abcdefgh")
one_held = st.builds(Held, keys, st.integers(0, 100), st.integers(0, 1000), st.booleans())
held_models = st.lists(one_held, unique_by=(lambda one: one.key, lambda one: one.last_used))
kept = st.lists(keys, unique=True)


def cost(held: list[Held], chosen: tuple[str, ...]) -> int:
    return sum(one.cost for one in held if one.key in chosen)


@given(held_models, st.integers(-100, 500), kept, st.booleans())
def test_enough_goes_and_not_more_and_nothing_that_is_in_use(held, missing, keep, spare_kept):
    chosen = evictions(held, missing, keep, spare_kept=spare_kept)
    may_go = [one for one in held if not one.is_in_use and not (spare_kept and one.key in keep)]
    if chosen is None:
        assert sum(one.cost for one in may_go) < missing
        return
    assert set(chosen) <= {one.key for one in may_go}
    assert len(set(chosen)) == len(chosen)
    assert cost(held, chosen) >= missing
    assert not chosen or cost(held, chosen[:-1]) < missing


@given(held_models, st.integers(1, 500), kept)
def test_those_nobody_wants_go_first_the_least_recently_used_before_the_others_then_those_wanted_last(held, missing, keep):
    chosen = evictions(held, missing, keep, spare_kept=False)
    order = [one.key for one in sorted(held, key=lambda one: one.last_used) if one.key not in keep and not one.is_in_use]
    order += [key for key in reversed(keep) if any(one.key == key and not one.is_in_use for one in held)]
    assert chosen is None or chosen == tuple(order[: len(chosen)])


@given(held_models, st.integers(-500, 0), kept, st.booleans())
def test_where_nothing_is_missing_nothing_goes(held, missing, keep, spare_kept):
    assert evictions(held, missing, keep, spare_kept=spare_kept) == ()
