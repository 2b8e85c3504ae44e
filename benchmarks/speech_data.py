"""The speech data beside the project, and sound in and out of files. Samples are int16, mono, 16 kHz, shape (n,)."""

from __future__ import annotations

import csv
import hashlib
import os
import sys
import wave
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int16]

SAMPLE_RATE = 16_000
REPOSITORY = Path(__file__).resolve().parent.parent
_DATA_IS_MISSING = 2  # the exit status


@dataclass(frozen=True, slots=True)
class Clip:
    """One utterance of LibriSpeech: its file, length in seconds, speaker and exact words."""

    path: Path
    seconds: float
    speaker: str
    text: str


def data_folder() -> Path:
    """The folder that TRAX_DATA names, default `../shared/data` from the repository; it may not exist."""
    return Path(os.environ.get("TRAX_DATA") or REPOSITORY.parent / "shared" / "data").resolve()


def require_data() -> Path:
    """The data folder; leaves the program with status 2 and a sentence where there is none."""
    folder = data_folder()
    if not (folder / "librispeech" / "transcripts.tsv").is_file():
        print(f"No speech data at {folder}. Set TRAX_DATA to the folder that holds librispeech/ and fsdd/.", file=sys.stderr)
        raise SystemExit(_DATA_IS_MISSING)
    return folder


def librispeech(data: Path) -> tuple[Clip, ...]:
    """Every utterance of `librispeech/transcripts.tsv`, in its order: within a speaker, the order of the book."""
    folder = data / "librispeech"
    with (folder / "transcripts.tsv").open(encoding="utf-8", newline="") as table:
        return tuple(
            Clip(folder / row["path"], float(row["seconds"]), row["speaker"], row["text"]) for row in csv.DictReader(table, delimiter="\t")
        )


def short_clips(data: Path, count: int) -> tuple[Path, ...]:
    """`count` spoken digits of FSDD that differ in their bytes, spread evenly over words and speakers.

    Raises ValueError when there are fewer.
    """
    distinct = {hashlib.sha256(path.read_bytes()).digest(): path for path in sorted((data / "fsdd").glob("*.wav"))}
    paths = sorted(distinct.values())
    if len(paths) < count:
        raise ValueError(f"{data / 'fsdd'} holds {len(paths)} different clips, {count} are needed")
    return tuple(paths[index * len(paths) // count] for index in range(count))


def read_audio(path: Path) -> Samples:
    """The samples of a sound file that is mono and 16 kHz already. Raises ValueError when it is not."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        if stream.rate != SAMPLE_RATE or stream.channels != 1:
            raise ValueError(f"{path} has {stream.channels} channel(s) at {stream.rate} Hz; 1 at {SAMPLE_RATE} is needed")
        resampler = av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)  # only the sample format changes
        frames = [out for frame in container.decode(stream) for out in resampler.resample(frame)]
    return np.concatenate([frame.to_ndarray().reshape(-1) for frame in frames]).astype(np.int16)


def open_wav(path: Path) -> wave.Wave_write:
    """A WAV file to write 16 kHz mono int16 frames to."""
    writer = wave.open(str(path), "wb")  # noqa: SIM115 - the caller closes it
    writer.setnchannels(1)
    writer.setsampwidth(2)
    writer.setframerate(SAMPLE_RATE)
    return writer


def is_quick() -> bool:
    """Whether QUICK=1 asks for the form that fits in ten minutes."""
    return os.environ.get("QUICK", "") not in {"", "0"}
