from __future__ import annotations

import subprocess
import sys

from trax.service import steady

#: Many threads take and free pieces of a megabyte, each beside a small piece that stays; prints by how much the process has grown.
BUSY_HOUR = """
import threading
import psutil
from trax.service.steady import keep_memory_steady

def own():
    return psutil.Process().memory_full_info().uss

def work(barrier, kept):
    for _ in range(20):
        barrier.wait()
        pieces = [bytearray(size) for size in (400_000, 1_000_000)]
        kept.append(bytearray(1000))
        barrier.wait()
        pieces.clear()

keep_memory_steady()
before = own()
for _ in range(3):
    barrier, kept = threading.Barrier(8), []
    threads = [threading.Thread(target=work, args=(barrier, kept)) for _ in range(8)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
print(own() - before)
"""


def test_a_busy_hour_leaves_no_large_pieces_behind() -> None:
    grown = int(subprocess.check_output([sys.executable, "-c", BUSY_HOUR]))
    assert grown < 2 << 20  # 14 MB without


def test_what_python_keeps_for_later_is_given_up() -> None:
    steady.let_go()
    before = sys.getallocatedblocks()
    kept = [tuple(each for each in range(length)) for length in range(1, 6) for _ in range(1000)]
    kept.clear()
    assert sys.getallocatedblocks() - before > 4000
    steady.let_go()
    assert sys.getallocatedblocks() - before < 1000
