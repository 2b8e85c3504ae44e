"""Reading the kernel's figures, comparing them, and recordings of any length."""

from pathlib import Path

import numpy as np
import pytest
from peaks import memory_of, program_of
from scaling import Run, goal_values, growth, table, write_conversation
from speech_data import read_audio


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


def run(minutes: int, seconds: float, **peaks: int) -> Run:
    return Run(minutes, seconds, peaks, together=sum(peaks.values()), words=7)


def test_growth_is_that_of_all_processes_together():
    assert growth(run(10, 20, traxd=100, diarize=200), run(240, 480, traxd=110, diarize=250)) == pytest.approx(1.2)


def test_growth_needs_the_same_processes():
    with pytest.raises(ValueError, match="not the same processes"):
        growth(run(10, 20, traxd=100), run(240, 480, traxd=100, diarize=1))


def test_the_longest_is_measured_against_ten_minutes():
    runs = [run(1, 8, traxd=90), run(10, 20, traxd=100), run(60, 120, traxd=102), run(240, 528, traxd=105)]
    values, skipped = goal_values(runs)
    assert values == pytest.approx({"scaling_memory_240_over_10_minutes": 1.05, "scaling_time_240_over_10_minutes": 1.1})
    assert set(skipped) == {"scaling_memory_10_over_1_minutes", "scaling_time_10_over_1_minutes"}
    assert set(goal_values(runs[:2])[0]) == set(skipped)
    assert "| wall time for a minute of recording, s | 8.00 | 2.00 | 2.00 | 2.20 |" in table(runs).splitlines()


def test_a_long_recording_repeats_a_block_and_lasts_exactly_so_long(tmp_path):
    block = np.random.default_rng(1).integers(-1000, 1000, 50_000).astype("<i2")
    (tmp_path / "block.raw").write_bytes(block.tobytes())
    write_conversation(tmp_path / "block.raw", tmp_path / "long.wav", 0.25)
    samples = read_audio(tmp_path / "long.wav")
    assert len(samples) == 15 * 16_000
    assert np.array_equal(samples, np.resize(block, 15 * 16_000))
