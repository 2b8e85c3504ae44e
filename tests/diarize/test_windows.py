import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from trax.diarize.windows import BRIDGED_GAP, LENGTH, SHORTEST, STEP, bridge, plan_windows
from trax.transcript import Span

speech_spans = st.lists(st.tuples(st.floats(0.05, 3), st.floats(0.05, 12)), max_size=12).map(
    lambda pairs: tuple(Span(s, e) for s, e in spans_from_lengths(pairs))
)


def spans_from_lengths(pairs):
    at = 0.0
    for silence, length in pairs:
        yield at + silence, at + silence + length
        at += silence + length


@given(speech_spans)
@settings(deadline=None)
def test_windows_lie_in_speech_and_are_no_longer_than_the_network_takes(speech):
    stretches = bridge(speech, BRIDGED_GAP)
    for start, end in plan_windows(speech).astype(float):
        assert SHORTEST - 0.011 <= end - start <= LENGTH + 0.001
        assert any(start >= each.start - 0.006 and end <= each.end + 0.006 for each in stretches)


@given(speech_spans)
@settings(deadline=None)
def test_every_instant_of_speech_that_is_long_enough_is_heard(speech):
    windows = plan_windows(speech).astype(float)
    for stretch in bridge(speech, BRIDGED_GAP):
        if stretch.duration < SHORTEST + 0.02:
            continue
        for t in np.linspace(stretch.start + 0.01, stretch.end - 0.01, 23):
            assert ((windows[:, 0] <= t) & (t <= windows[:, 1])).any()


def test_a_long_stretch_is_stepped_through_and_its_end_is_heard():
    windows = plan_windows([Span(1.0, 4.0)])
    np.testing.assert_allclose(windows[:, 0], [1.0, 1.4, 1.8, 2.2, 2.4][: len(windows)], atol=1e-4)
    np.testing.assert_allclose(np.diff(windows, axis=1)[:, 0], LENGTH, atol=1e-4)
    np.testing.assert_allclose(windows[-1], [4.0 - LENGTH, 4.0], atol=1e-4)
    assert np.diff(windows[:, 0]).max() <= STEP + 1e-4


def test_short_speech_gets_one_short_window_and_a_click_none():
    np.testing.assert_allclose(plan_windows([Span(2.0, 2.7), Span(9.0, 9.1)]), [[2.0, 2.7]], atol=1e-4)
    assert plan_windows([]).shape == (0, 2)


@given(speech_spans, st.floats(0, 2))
@settings(deadline=None)
def test_bridging_keeps_all_speech_and_leaves_only_longer_gaps(speech, gap):
    joined = bridge(reversed(speech), gap)
    assert all(after.start - before.end > gap for before, after in itertools.pairwise(joined))
    assert all(any(each.start <= span.start and span.end <= each.end for each in joined) for span in speech)
    assert sum(each.duration for each in joined) <= (speech[-1].end - speech[0].start if speech else 0) + 1e-6
