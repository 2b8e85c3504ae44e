"""The decode child, run as the supervisor runs it, on real files that PyAV makes here."""

from __future__ import annotations

import errno
import json
import os
import signal
import struct
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

MIB = 1 << 20
RATE = 16_000
TONE = 440.0


@dataclass
class Outcome:
    status: int
    events: list[dict[str, Any]]
    pcm: np.ndarray
    stderr: str

    @property
    def result(self) -> dict[str, Any]:
        assert self.events[-1]["event"] == "done", (self.events[-1], self.stderr)
        assert self.status == 0
        return self.events[-1]["result"]

    @property
    def error(self) -> dict[str, Any]:
        assert self.events[-1]["event"] == "error", self.events[-1]
        assert self.status == 1
        assert "Traceback" not in self.stderr
        return self.events[-1]["error"]


def decode(source: Path, *, extension: str | None = None, memory=512 * MIB, cpu=20, output=64 * MIB) -> Outcome:
    pcm = source.with_suffix(".pcm")
    with source.open("rb") as reader, pcm.open("wb") as writer:
        argv = [sys.executable, "-I", "-m", "trax.worker.decode", "--output-fd", str(writer.fileno())]
        argv += ["--extension", extension or source.suffix]
        argv += ["--memory-bytes", str(memory), "--cpu-seconds", str(cpu), "--output-bytes", str(output)]
        done = subprocess.run(argv, stdin=reader, capture_output=True, pass_fds=[writer.fileno()], env={}, timeout=60, check=False)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    return Outcome(done.returncode, events, np.fromfile(pcm, dtype="<i2"), done.stderr.decode())


def make(path: Path, container: str, codec: str, *, rate=44_100, layout="stereo", seconds=3.0, start=0.0, options=None) -> Path:
    """A recording of a tone, `seconds` long, at the given rate, its sound track beginning at `start`."""
    with av.open(path, "w", format=container, options=options or {}) as output:
        stream = output.add_stream(codec, rate=rate)
        stream.layout = layout
        samples = np.sin(2 * np.pi * TONE * np.arange(int(rate * seconds)) / rate) * 8000
        data = np.repeat(samples.astype("<i2")[:, None], stream.layout.nb_channels, axis=1).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(data), format="s16", layout=layout)
        frame.sample_rate = rate
        frame.pts = int(start * rate)
        resampler = av.AudioResampler(stream.format, layout, rate, frame_size=stream.frame_size or None)
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            output.mux(stream.encode(piece))
        output.mux(stream.encode(None))
    return path


def wav(path: Path, channels: list[np.ndarray], *, rate=RATE, announced: int | None = None) -> Path:
    """A WAV file; `announced` is the number of bytes its header says there are."""
    data = np.stack(channels, axis=1).astype("<i2").tobytes()
    count = len(channels)
    form = struct.pack("<HHIIHH", 1, count, rate, rate * count * 2, count * 2, 16)
    size = len(data) if announced is None else announced
    riff = b"RIFF" + struct.pack("<I", min(36 + size, 0xFFFF_FFFF)) + b"WAVE"
    path.write_bytes(riff + b"fmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", size) + data)
    return path


def loudest_frequency(pcm: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(pcm * np.hanning(len(pcm))))
    return float(np.argmax(spectrum) * RATE / len(pcm))


FORMATS = [
    (".wav", "wav", "pcm_s16le", 44_100, "wav", "pcm_s16le"),
    (".wav", "wav", "pcm_s16le", 8_000, "wav", "pcm_s16le"),
    (".wav", "wav", "pcm_mulaw", 8_000, "wav", "pcm_mulaw"),
    (".mp3", "mp3", "libmp3lame", 44_100, "mp3", "mp3"),
    (".flac", "flac", "flac", 16_000, "flac", "flac"),
    (".ogg", "ogg", "libopus", 48_000, "ogg", "opus"),
    (".opus", "ogg", "libopus", 48_000, "ogg", "opus"),
    (".m4a", "mp4", "aac", 44_100, "mp4", "aac"),
    (".mp4", "mp4", "aac", 48_000, "mp4", "aac"),
    (".mov", "mov", "pcm_s16le", 48_000, "mp4", "pcm_s16le"),
    (".webm", "webm", "libopus", 48_000, "matroska", "opus"),
    (".mkv", "matroska", "flac", 44_100, "matroska", "flac"),
    (".aac", "adts", "aac", 44_100, "adts", "aac"),
]


@pytest.mark.parametrize(
    ("extension", "container", "codec", "rate", "named", "coded", "layout"),
    [(*row, "stereo") for row in FORMATS] + [(*row, "mono") for row in FORMATS[1:4]],
)
def test_every_format_becomes_16_khz_mono(tmp_path, extension, container, codec, rate, named, coded, layout):
    outcome = decode(make(tmp_path / f"tone{extension}", container, codec, rate=rate, layout=layout))
    result = outcome.result
    assert (result["container"], result["codec"], result["sample_rate"]) == (named, coded, rate)
    assert result["channels"] == (1 if layout == "mono" else 2)
    assert result["damaged_frames"] == 0
    assert result["duration"] == len(outcome.pcm) / RATE == pytest.approx(3.0, abs=0.06)
    assert loudest_frequency(outcome.pcm) == pytest.approx(TONE, abs=1)
    assert np.abs(outcome.pcm[RATE : 2 * RATE]).max() == pytest.approx(8000, rel=0.1)
    assert outcome.stderr == ""


def test_six_channels(tmp_path):
    outcome = decode(make(tmp_path / "tone.flac", "flac", "flac", rate=48_000, layout="5.1"))
    assert outcome.result["channels"] == 6
    assert loudest_frequency(outcome.pcm) == pytest.approx(TONE, abs=1)


def test_no_microphone_of_a_field_recorder_is_dropped(tmp_path):
    silence, voice = np.zeros(RATE), np.full(RATE, 9000)
    for microphone in range(4):
        channels = [voice if channel == microphone else silence for channel in range(4)]
        outcome = decode(wav(tmp_path / f"{microphone}.wav", channels))
        assert outcome.result["channels"] == 4
        assert np.median(outcome.pcm) == pytest.approx(9000 / 4, abs=2)


def test_progress_rises_to_the_end(tmp_path):
    noise = np.random.default_rng(0).integers(-9000, 9000, 20_000_000)
    outcome = decode(wav(tmp_path / "long.wav", [noise], rate=44_100), output=200 * MIB)
    fractions = [event["fraction"] for event in outcome.events if event["event"] == "progress"]
    assert outcome.result["duration"] == pytest.approx(20_000_000 / 44_100, abs=0.01)
    assert fractions
    assert fractions == sorted(fractions)
    assert 0 <= fractions[0] <= fractions[-1] <= 1


def test_sound_that_starts_late_in_a_video_keeps_its_times(tmp_path):
    path = tmp_path / "late.mkv"
    with av.open(path, "w", format="matroska") as output:
        video = output.add_stream("mpeg4", rate=10)
        video.width, video.height, video.pix_fmt = 32, 32, "yuv420p"
        audio = output.add_stream("pcm_s16le", rate=RATE)
        audio.layout = "mono"
        for number in range(40):
            picture = av.VideoFrame(32, 32, "yuv420p")
            picture.pts = number
            output.mux(video.encode(picture))
        for second in (1, 3):  # a second of sound at 1 s and another at 3 s
            frame = av.AudioFrame.from_ndarray(np.full((1, RATE), 5000, dtype="<i2"), format="s16", layout="mono")
            frame.sample_rate, frame.pts = RATE, second * RATE
            output.mux(audio.encode(frame))
        output.mux([*video.encode(None), *audio.encode(None)])
    outcome = decode(path)
    assert outcome.result["duration"] == pytest.approx(4.0, abs=0.01)
    loud = [bool(np.median(outcome.pcm[second * RATE : (second + 1) * RATE]) > 4000) for second in range(4)]
    assert loud == [False, True, False, True]


@pytest.mark.parametrize(("extension", "container", "codec"), [(e, c, k) for e, c, k, *_ in FORMATS if e not in {".aac", ".opus"}])
def test_a_file_cut_short_is_refused(tmp_path, extension, container, codec):
    whole = make(tmp_path / f"whole{extension}", container, codec, rate=48_000, seconds=20.0).read_bytes()
    cut = tmp_path / f"cut{extension}"
    cut.write_bytes(whole[: int(len(whole) * 0.9)])
    error = decode(cut).error
    assert error["code"] == "damaged"
    assert error["permanent"] is True


def test_an_mp4_for_streaming_cut_short_is_refused(tmp_path):
    whole = make(tmp_path / "whole.mp4", "mp4", "aac", seconds=20.0, options={"movflags": "faststart"}).read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole[: len(whole) * 2 // 3])
    assert "cut short" in decode(cut).error["what"]


def test_a_wav_written_to_a_pipe_announces_no_length_and_is_taken(tmp_path):
    for announced in (0xFFFF_FFFF, 0x7FFF_F000):
        outcome = decode(wav(tmp_path / "piped.wav", [np.full(2 * RATE, 3000)], announced=announced))
        assert outcome.result["duration"] == pytest.approx(2.0)


def test_a_huge_announced_length_is_refused_at_once(tmp_path):
    error = decode(wav(tmp_path / "huge.wav", [np.zeros(RATE)], announced=0x7000_0000)).error
    assert error["code"] == "damaged"
    assert "missing" in error["what"]


def test_a_flac_that_claims_days_is_refused(tmp_path):
    path = make(tmp_path / "days.flac", "flac", "flac", seconds=1.0)
    data = bytearray(path.read_bytes())
    data[22:26] = b"\xff" * 4  # the low 32 bits of STREAMINFO's total of samples
    path.write_bytes(data)
    assert decode(path).error["code"] == "too-large"


def test_a_few_bad_frames_of_an_mp3_are_skipped_and_counted(tmp_path):
    path = make(tmp_path / "scratched.mp3", "mp3", "libmp3lame", seconds=20.0, options={"write_xing": "0"})
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 600] = b"\xff" * 600
    path.write_bytes(data)
    outcome = decode(path)
    assert outcome.result["duration"] == pytest.approx(20.0, abs=0.3)
    assert 1 <= outcome.result["damaged_frames"] <= 5


def test_sound_that_is_mostly_rubbish_is_refused(tmp_path):
    path = make(tmp_path / "rubbish.m4a", "mp4", "aac", seconds=20.0)
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + 4
    data[start : start + 150_000] = np.random.default_rng(0).bytes(150_000)
    path.write_bytes(data)
    assert decode(path).error["code"] == "damaged"


def test_text_is_no_recording(tmp_path):
    for extension in (".mp3", ".wav", ".mp4", ".ogg", ".aac", ".webm", ".flac"):
        path = tmp_path / f"notes{extension}"
        path.write_text("The quick brown fox jumps over the lazy dog.\n" * 2000)
        error = decode(path).error
        assert error["code"] == "unsupported"
        assert extension in error["what"]


def test_a_wrong_extension_is_refused_and_the_right_one_named(tmp_path):
    path = make(tmp_path / "really.wav", "wav", "pcm_s16le")
    error = decode(path, extension=".mp3").error
    assert error["code"] == "unsupported"
    assert "content is wav" in error["what"]
    assert ".wav" in error["advice"]


def test_a_playlist_opens_nothing(tmp_path):
    make(tmp_path / "private.wav", "wav", "pcm_s16le")
    for name, text in (
        ("list.mp3", "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nprivate.wav\n#EXT-X-ENDLIST\n"),
        ("list.mp4", "ffconcat version 1.0\nfile private.wav\n"),
    ):
        path = tmp_path / name
        path.write_text(text)
        assert decode(path).error["code"] == "unsupported"


def test_a_video_without_sound(tmp_path):
    path = tmp_path / "silent.mp4"
    with av.open(path, "w", format="mp4") as output:
        video = output.add_stream("mpeg4", rate=10)
        video.width, video.height, video.pix_fmt = 32, 32, "yuv420p"
        for number in range(10):
            picture = av.VideoFrame(32, 32, "yuv420p")
            picture.pts = number
            output.mux(video.encode(picture))
        output.mux(video.encode(None))
    assert decode(path).error["code"] == "no-audio"


def test_nothing_at_all(tmp_path):
    path = tmp_path / "empty.mp3"
    path.touch()
    assert decode(path).error["code"] == "empty"


def test_a_sound_track_of_no_length(tmp_path):
    error = decode(wav(tmp_path / "none.wav", [np.zeros(0)])).error
    assert error["code"] == "empty"
    assert "0 s" in error["what"]


def test_a_sound_track_of_one_sample(tmp_path):
    error = decode(make(tmp_path / "click.wav", "wav", "pcm_s16le", seconds=0.0001)).error
    assert error["code"] == "empty"


def test_an_unknown_extension(tmp_path):
    path = make(tmp_path / "tone.wav", "wav", "pcm_s16le")
    assert decode(path, extension=".xyz").error["code"] == "unsupported"


def test_longer_than_allowed(tmp_path):
    for path in (
        make(tmp_path / "a.wav", "wav", "pcm_s16le", seconds=10.0),
        make(tmp_path / "b.webm", "webm", "libopus", rate=48_000, seconds=10.0),
    ):
        error = decode(path, output=5 * 32_000).error
        assert error["code"] == "too-large"
        assert path.with_suffix(".pcm").stat().st_size <= 5 * 32_000


def test_the_kernel_ends_what_takes_too_much_time(tmp_path):
    announced = 4_000_000_000  # half a day of silence, of which only the header takes room: half a minute of work on any machine
    path = wav(tmp_path / "slow.wav", [np.zeros(0)], rate=44_100, announced=announced)
    os.truncate(path, path.stat().st_size + announced)
    assert decode(path, cpu=1, output=4096 * MIB).status == -signal.SIGXCPU


def test_the_memory_limit_is_told_in_words(tmp_path):
    path = make(tmp_path / "tone.wav", "wav", "pcm_s16le")
    outcome = decode(path, memory=64 * MIB)
    assert outcome.error["code"] in {"damaged", "worker-crashed"}


def test_the_child_opens_no_file_and_dumps_no_core():
    script = (
        "import resource, sys; from trax.worker.decode import limit_process; from trax.worker.sandbox import _forbid_new_descriptors\n"
        f"limit_process({1024 * MIB}, 9, {MIB})\n"
        "_forbid_new_descriptors(keep=6)\n"
        "assert resource.getrlimit(resource.RLIMIT_CORE) == (1, 1)\n"
        "try: open('/etc/hostname')\n"
        "except OSError as error: print(error.errno)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, close_fds=True)
    assert int(done.stdout) == errno.EMFILE


def test_a_full_disk_is_told(tmp_path):
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    path = make(tmp_path / "tone.wav", "wav", "pcm_s16le")
    with path.open("rb") as reader, Path("/dev/full").open("wb", buffering=0) as full:
        argv = [sys.executable, "-m", "trax.worker.decode", "--output-fd", str(full.fileno()), "--extension", ".wav"]
        argv += ["--memory-bytes", str(1024 * MIB), "--cpu-seconds", "9", "--output-bytes", str(MIB)]
        done = subprocess.run(argv, stdin=reader, capture_output=True, pass_fds=[full.fileno()], timeout=60, check=False)
    assert json.loads(done.stdout.splitlines()[-1])["error"]["code"] == "disk-full"


def test_real_speech(data_folder, tmp_path):
    source = min((data_folder / "librispeech" / "test-other").glob("*.flac"))
    with source.open("rb") as reader:
        (tmp_path / "speech.flac").write_bytes(reader.read())
    outcome = decode(tmp_path / "speech.flac")
    with av.open(os.fspath(source)) as original:
        reference = np.concatenate([frame.to_ndarray()[0] for frame in original.decode(audio=0)])
    np.testing.assert_array_equal(outcome.pcm, reference)


def test_tags_in_another_encoding_are_no_reason_not_to_decode(tmp_path):
    path = wav(tmp_path / "tagged.wav", [np.full(RATE, 3000)])
    tag = b"LIST" + struct.pack("<I", 16) + b"INFOINAM" + struct.pack("<I", 4) + b"caf\xe9"
    path.write_bytes(path.read_bytes() + tag)
    assert decode(path).result["duration"] == pytest.approx(1.0)


def test_what_makes_no_headway_is_ended_and_what_does_goes_on():
    script = (
        "import sys, time; from trax.worker.decode import grant_time\n"
        "grant_time(0.5)\n"
        "for _ in range(20):\n"
        "    end = time.process_time() + 0.1\n"
        "    while time.process_time() < end: pass\n"
        "    if sys.argv[1] == 'headway': grant_time(0.5)\n"
    )
    ends = [subprocess.run([sys.executable, "-c", script, how], check=False, timeout=100).returncode for how in ("headway", "none")]
    assert ends == [0, -signal.SIGPROF]
