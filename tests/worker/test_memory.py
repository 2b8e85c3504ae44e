from __future__ import annotations

import errno
import subprocess
import sys

import pytest

from trax.worker.memory import is_out_of_memory

GREEDY = """
import resource, sys
from trax.worker.memory import go_first, is_out_of_memory, limit_memory
go_first()
print(open("/proc/self/oom_score_adj").read().strip())
limit_memory(256 << 20)
limit_memory(1 << 40)
print(resource.getrlimit(resource.RLIMIT_DATA)[0] >> 20)
held = []
try:
    while True:
        held.append(bytearray(16 << 20))
except Exception as error:
    print(len(held) * 16 < 256, is_out_of_memory(error))
"""


def test_a_process_gets_so_much_and_no_more_and_offers_itself_to_the_kernel() -> None:
    asked = subprocess.run([sys.executable, "-c", GREEDY], capture_output=True, text=True, check=True, timeout=60)
    assert asked.stdout.split() == ["500", "256", "True", "True"]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), True),
        (RuntimeError("[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : std::bad_alloc"), True),
        (RuntimeError("Failed to allocate memory for requested buffer of size 4294967296"), True),
        (ValueError("no"), False),
        (OSError(errno.ENOSPC, "No space left on device"), False),
    ],
)
def test_a_refused_allocation_is_told_from_other_errors(error: Exception, *, expected: bool) -> None:
    assert is_out_of_memory(error) is expected
