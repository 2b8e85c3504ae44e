"""Reading the kernel's figures, and comparing them."""

from pathlib import Path

import pytest
from memory import growth, memory_of, program_of


def test_resident_and_peak_memory_are_read_from_the_kernel():
    assert memory_of("Name:\tpython\nVmHWM:\t   20480 kB\nVmRSS:\t   10240 kB\n") == (10240, 20480)
    resident, peak = memory_of(Path("/proc/self/status").read_text())
    assert 0 < resident <= peak


def test_a_process_that_has_ended_has_no_memory():
    assert memory_of("Name:\tpython\nState:\tZ (zombie)\n") is None


@pytest.mark.parametrize(
    ("command_line", "program"),
    [
        (["python3", "-m", "trax.worker.decode", "3"], "trax.worker.decode"),
        (["python3", "-X", "dev", "-m", "trax.worker.lane"], "trax.worker.lane"),
        (["/usr/bin/python3", "tool.py"], "python3"),
        (["python3", "-m"], "python3"),
        ([], None),
    ],
)
def test_a_process_is_known_by_its_module_or_name(command_line, program):
    assert program_of(command_line) == program


def test_growth_is_how_much_each_process_differs():
    assert growth({"traxd": 100, "diarize": 200}, {"traxd": 110, "diarize": 150}) == pytest.approx({"traxd": 10, "diarize": 25})


def test_growth_needs_the_same_processes():
    with pytest.raises(ValueError, match="not the same processes"):
        growth({"traxd": 100}, {"traxd": 100, "diarize": 1})
