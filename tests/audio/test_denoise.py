"""Noise reduction: less noise, the same sound at the same times, in the sealed decode child as well."""

from __future__ import annotations

import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trax.audio.denoise import Denoiser, noise_floor, reduce_noise
from trax.errors import StorageError

RATE = 16_000
LOUD = 6000.0


def through(denoiser: Denoiser, sound: np.ndarray, cuts: list[int]) -> np.ndarray:
    pieces = [denoiser.push(piece.tobytes()) for piece in np.split(sound, sorted(cuts))]
    return np.frombuffer(b"".join([*pieces, denoiser.flush()]), dtype="<i2")


def reduced(path: Path, sound: np.ndarray) -> np.ndarray:
    sound.tofile(path)
    with path.open("r+b") as pcm:
        reduce_noise(pcm.fileno(), lambda: None)
    return np.fromfile(path, dtype="<i2")


def bursts(seconds: float) -> np.ndarray:
    """A tone in the second half of every second."""
    time = np.arange(int(seconds * RATE)) / RATE
    return LOUD * np.sin(2 * np.pi * 440 * time) * (time % 1 >= 0.5)


def in_noise(clean: np.ndarray, ratio_db: float) -> np.ndarray:
    noise = np.random.default_rng(5).standard_normal(len(clean)) * LOUD / np.sqrt(2) * 10 ** (-ratio_db / 20)
    return (clean + noise).astype("<i2")


def level(sound: np.ndarray) -> float:
    return float(20 * np.log10(np.sqrt(np.mean(sound.astype(float) ** 2)) / 32768))


@given(samples=st.integers(0, 3 * RATE), cuts=st.lists(st.integers(0, 3 * RATE), max_size=4))
@settings(max_examples=25, deadline=None)
def test_as_many_samples_come_out_as_went_in_and_the_same_however_they_are_cut(samples: int, cuts: list[int]) -> None:
    sound = np.random.default_rng(samples).integers(-9000, 9000, samples).astype("<i2")
    whole = through(Denoiser(-30.0), sound, [])
    assert len(whole) == samples
    assert np.array_equal(through(Denoiser(-30.0), sound, cuts), whole)


@pytest.mark.parametrize("samples", [0, 1, 400, RATE, 3 * RATE + 77])
def test_a_file_stays_as_long_as_it_is(tmp_path: Path, samples: int) -> None:
    sound = np.random.default_rng(samples).integers(-900, 900, samples).astype("<i2")
    assert len(reduced(tmp_path / "pcm.raw", sound)) == samples


@pytest.mark.parametrize("ratio", [10.0, 20.0])
@pytest.mark.parametrize("gain", [1.0, 0.03], ids=["loud", "faint"])
def test_noise_falls_and_what_stands_out_stays_where_it_was(tmp_path: Path, ratio: float, gain: float) -> None:
    clean = bursts(12.0) * gain
    noisy = (in_noise(bursts(12.0), ratio) * gain).astype("<i2")
    found = reduced(tmp_path / "pcm.raw", noisy)
    quiet = (np.arange(len(clean)) / RATE) % 1 < 0.45
    assert level(found[quiet]) < level(noisy[quiet]) - 6
    assert level(found[~quiet]) == pytest.approx(level(noisy[~quiet]), abs=1.5)
    edges = np.convolve(np.abs(found).astype(float), np.ones(160) / 160, "same")
    lags = {lag: float(np.dot(np.roll(clean != 0, lag), edges)) for lag in range(-800, 801, 16)}
    assert abs(max(lags, key=lambda lag: lags[lag])) <= 80, "5 ms"


def test_the_floor_is_what_is_heard_in_the_pauses_and_silence_has_none() -> None:
    noisy = in_noise(bursts(10.0), 20.0)
    quiet = noisy[: RATE // 2]
    assert noise_floor(iter([noisy.tobytes()])) == pytest.approx(level(quiet), abs=1.5)
    with_gaps = np.concatenate([np.zeros(20 * RATE, dtype="<i2"), noisy])
    assert noise_floor(iter([with_gaps.tobytes()])) == pytest.approx(level(quiet), abs=1.5), "a gap tells nothing of the noise"
    assert noise_floor(iter([bytes(RATE)])) is None
    assert noise_floor(iter([])) is None


def test_silence_stays_silence(tmp_path: Path) -> None:
    assert not reduced(tmp_path / "pcm.raw", np.zeros(5 * RATE, dtype="<i2")).any()


def test_a_disk_that_refuses_is_told(tmp_path: Path) -> None:
    path = tmp_path / "pcm.raw"
    in_noise(bursts(1.0), 10.0).tofile(path)
    with path.open("rb") as read_only, pytest.raises(StorageError):
        reduce_noise(read_only.fileno(), lambda: None)


def decode(source: Path, *options: str) -> np.ndarray:
    """By the decode child, sealed off as ever."""
    pcm = source.with_suffix(".pcm")
    with source.open("rb") as reader, pcm.open("w+b") as writer:
        argv = [sys.executable, "-I", "-m", "trax.worker.decode", "--output-fd", str(writer.fileno()), "--extension", ".wav"]
        argv += ["--memory-bytes", str(512 << 20), "--cpu-seconds", "60", "--output-bytes", str(64 << 20), *options]
        subprocess.run(argv, stdin=reader, stdout=subprocess.DEVNULL, pass_fds=[writer.fileno()], env={}, timeout=120, check=True)
    return np.fromfile(pcm, dtype="<i2")


def test_the_decode_child_reduces_noise_when_asked_to(tmp_path: Path) -> None:
    noisy = in_noise(bursts(7.123), 10.0)
    source = tmp_path / "noisy.wav"
    with wave.open(str(source), "wb") as writer:
        writer.setparams((1, 2, RATE, 0, "NONE", ""))
        writer.writeframes(noisy.tobytes())
    assert np.array_equal(decode(source), noisy)
    assert np.array_equal(decode(source, "--reduce-noise"), reduced(tmp_path / "pcm.raw", noisy))


def test_memory_does_not_grow_with_the_sound(tmp_path: Path) -> None:
    path, minute, seen = tmp_path / "pcm.raw", in_noise(bursts(60.0), 10.0), list[int]()
    with path.open("w+b") as pcm:
        for _ in range(4):
            pcm.write(minute.tobytes())
        pcm.flush()
        reduce_noise(pcm.fileno(), lambda: seen.append(psutil.Process().memory_info().rss))
    assert len(seen) == 8, "both passes tell of every minute"
    assert max(seen) - seen[0] < 8 << 20
