"""Spoken digits, one a clip: the Free Spoken Digit Dataset, Speech Commands, and the voices of espeak-ng and flite in many variants.

All clips are float32 at 16 kHz, mono, without the silence at their ends, with a peak of 1.
"""

from __future__ import annotations

import itertools
import subprocess
import wave
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly

from training.digits.vocabulary import DIGITS

RATE = 16_000
#: The speaker of FSDD whom no training hears.
LEFT_OUT = "yweweler"
#: Clips of FSDD from 5 up to here are for tests and no training hears them (those below 5 are not in the data: the public test split).
FIRST_TRAINED = 10
_ESPEAK_VOICES = ("en-us", "en-gb", "en-gb-scotland", "en-gb-x-rp", "en-gb-x-gbclan", "en-gb-x-gbcwmd", "en-029", "en-us-nyc")
_ESPEAK_VARIANTS = (
    *("m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "f1", "f2", "f3", "f4", "f5"),
    *("Andy", "Annie", "Denis", "Lee", "Linda", "Michael", "Steph", "Alicia", "Belinda", "Gene", "Hugo", "Jacky", "Mario", "Pablo"),
    *("klatt", "klatt2", "klatt3", "klatt4", "grandma", "grandpa", "victor", "travis"),
)
_FLITE_VOICES = {"kal16": 110, "awb": 140, "rms": 95, "slt": 170}  # and their usual pitch (Hz)
_FLITE_VARIANTS = 6
_EDGE_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Clip:
    """One spoken digit (0 to 9)."""

    digit: int
    speaker: str
    samples: NDArray[np.float32]


def trained(data: Path, made: Path) -> tuple[Clip, ...]:
    """Every clip that training hears. `data` is the folder of recorded speech; `made` keeps what the synthetic voices say (npz)."""
    return (*fsdd(data, unseen=False), *speech_commands(data), *_synthetic(made))


def never_used(data: Path) -> tuple[Clip, ...]:
    """Clips that neither training nor a test hears: those of `LEFT_OUT` that are not for tests."""
    files = sorted((data / "fsdd").glob(f"*_{LEFT_OUT}_*.wav"))
    return tuple(_clip(path) for path in files if _index(path) >= FIRST_TRAINED)


def fsdd(data: Path, *, unseen: bool, speakers: tuple[str, ...] = ()) -> tuple[Clip, ...]:
    """Clips of the Free Spoken Digit Dataset: those for tests, of all or of some speakers, or those for training without `LEFT_OUT`."""
    clips = []
    for path in sorted((data / "fsdd").glob("*.wav")):
        _, speaker, _ = path.stem.split("_")
        if unseen != (_index(path) < FIRST_TRAINED) or (speaker == LEFT_OUT and not unseen) or (speakers and speaker not in speakers):
            continue
        clips.append(_clip(path))
    return tuple(clips)


def _index(path: Path) -> int:
    return int(path.stem.split("_")[2])


def _clip(path: Path) -> Clip:
    digit, speaker, _ = path.stem.split("_")
    return Clip(int(digit), speaker, _read(path.read_bytes()))


def speech_commands(data: Path) -> tuple[Clip, ...]:
    """The digits of Speech Commands."""
    return tuple(
        Clip(digit, "commands", _read(path.read_bytes()))  # most people say only one or two digits: together they make a voice
        for digit, word in enumerate(DIGITS)
        for path in sorted((data / "speech_commands" / word).glob("*.wav"))
    )


def _synthetic(made: Path) -> tuple[Clip, ...]:
    if not made.exists():
        draw = np.random.default_rng(0)
        with ThreadPoolExecutor(2) as pool:
            spoken = list(pool.map(_speak, (*_espeak_voices(draw), *_flite_voices(draw))))
        whole = {f"{digit} {voice}": samples for voice, digits in spoken for digit, samples in enumerate(digits)}
        np.savez(made, allow_pickle=False, **whole)
    with np.load(made) as kept:
        return tuple(Clip(int(name[0]), name[2:], kept[name]) for name in kept.files)


def _espeak_voices(draw: np.random.Generator) -> Iterator[tuple[str, list[str]]]:
    """The name of each voice and the command that says a word with it and writes it to its output."""
    for voice, variant in itertools.product(_ESPEAK_VOICES, _ESPEAK_VARIANTS):
        speed, pitch = int(draw.integers(110, 230)), int(draw.integers(20, 80))
        yield f"espeak {voice}+{variant}", ["espeak-ng", "-v", f"{voice}+{variant}", "-s", str(speed), "-p", str(pitch), "--stdout"]


def _flite_voices(draw: np.random.Generator) -> Iterator[tuple[str, list[str]]]:
    for (voice, pitch), variant in itertools.product(_FLITE_VOICES.items(), range(_FLITE_VARIANTS)):
        stretch, mean = draw.uniform(0.85, 1.3), pitch * draw.uniform(0.9, 1.15)
        options = [f"--setf duration_stretch={stretch:.2f}", f"--setf int_f0_target_mean={mean:.0f}"]
        yield f"flite {voice} {variant}", ["flite", "-voice", voice, *" ".join(options).split(), "-o", "/dev/stdout", "-t"]


def _speak(voice: tuple[str, list[str]]) -> tuple[str, list[NDArray[np.float32]]]:
    name, command = voice
    said = [subprocess.run([*command, word], capture_output=True, check=True).stdout for word in DIGITS]
    return name, [_read(data) for data in said]


def _read(data: bytes) -> NDArray[np.float32]:
    """A 16-bit mono WAV file as a clip; espeak-ng leaves the lengths in its header open."""
    with wave.open(BytesIO(data)) as sound:
        rate = sound.getframerate()
        raw = np.frombuffer(sound.readframes(len(data)), dtype="<i2").astype(np.float32) / 32768
    common = np.gcd(rate, RATE)
    samples = resample_poly(raw, RATE // common, rate // common) if rate != RATE else raw
    samples = _trimmed(samples - samples.mean())
    return (samples / max(float(np.abs(samples).max()), 1e-6)).astype(np.float32)


def _trimmed(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Without what is 30 dB below the loudest 20 ms at both ends, a little edge kept."""
    frame = RATE // 50
    energy = np.array([float(np.mean(samples[at : at + frame] ** 2)) for at in range(0, max(1, len(samples) - frame), frame // 2)])
    loud = np.flatnonzero(energy > energy.max() * 1e-3)
    edge = int(_EDGE_SECONDS * RATE)
    start, end = int(loud[0]) * frame // 2 - edge, int(loud[-1]) * frame // 2 + frame + edge
    return samples[max(0, start) : end]
