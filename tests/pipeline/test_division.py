from hypothesis import given
from hypothesis import strategies as st

from trax.pipeline.division import ASIDE_GB, divide


def test_the_defaults_on_two_cores_give_each_lane_a_process_and_a_core():
    division = divide(cores=2, max_workers=2, is_parallel=True, memory_gb=8.0)
    assert (division.is_shared, division.transcribers, division.threads) == (False, 1, 1)


def test_little_memory_makes_the_lanes_share_a_process():
    assert divide(cores=8, max_workers=8, is_parallel=True, memory_gb=1.0).is_shared


def test_one_worker_or_no_parallel_lanes_share_a_process_with_all_cores():
    for division in (
        divide(cores=4, max_workers=1, is_parallel=True, memory_gb=8.0),
        divide(cores=4, max_workers=3, is_parallel=False, memory_gb=8.0),
    ):
        assert (division.is_shared, division.threads) == (True, 4)


@given(
    cores=st.integers(1, 128),
    max_workers=st.integers(1, 64),
    is_parallel=st.booleans(),
    memory_gb=st.floats(1.0, 512.0),
)
def test_never_more_than_there_is(cores: int, max_workers: int, is_parallel: bool, memory_gb: float):  # noqa: FBT001 - hypothesis names them
    division = divide(cores=cores, max_workers=max_workers, is_parallel=is_parallel, memory_gb=memory_gb)
    processes = 1 if division.is_shared else division.transcribers + 1
    assert processes <= max_workers
    assert division.threads >= 1
    assert division.transcribers * division.threads <= max(cores, division.transcribers)
    if memory_gb >= ASIDE_GB + 0.75:
        assert processes * division.share_gb + ASIDE_GB <= memory_gb + 1e-9
