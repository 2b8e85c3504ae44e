"""`transcribe` and `batch` as real processes over real speech, with the built-in models."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
import wave
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from trax.cli.work import named, recordings
from trax.errors import UnreadableRecording

Ctl = Callable[..., subprocess.CompletedProcess[str]]
Start = Callable[..., subprocess.Popen[str]]
CONVERSATION = Path(__file__).resolve().parents[2] / "tests" / "speech" / "conversation.ogg"
#: As quick as it gets: the words alone.
QUICK = ("--set", "stages.diarize=false", "--set", "asr.engine=pocketsphinx")


@pytest.fixture(scope="session")
def beginning(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first six seconds of a conversation, one turn of each voice, as a .wav file."""
    import av

    path = tmp_path_factory.mktemp("talk") / "talk.wav"
    with av.open(str(CONVERSATION)) as source, wave.open(str(path), "wb") as target:
        target.setparams((1, 2, 16_000, 0, "NONE", ""))
        resampler = av.AudioResampler(format="s16", layout="mono", rate=16_000)
        for frame in source.decode(audio=0):
            if (frame.time or 0.0) > 6.3:
                break
            for part in resampler.resample(frame):
                target.writeframes(part.to_ndarray().tobytes())
    return path


@pytest.fixture
def talk(root: Path, beginning: Path) -> Path:
    return Path(shutil.copy(beginning, root / "talk.wav"))


def test_a_recording_becomes_its_outputs(trax_ctl: Ctl, talk: Path, beginning: Path, root: Path) -> None:
    done = trax_ctl("transcribe", str(talk), "--out", str(root / "out"), "--set", "output.formats=json,srt")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [str(root / "out" / "talk.json"), str(root / "out" / "talk.srt")]
    assert "SPEAKER_00" in (root / "out" / "talk.srt").read_text()
    assert json.loads((root / "out" / "talk.json").read_text())["segments"]
    assert {"talk: decode", "talk: vad", "talk: transcribe"} <= set(done.stderr.splitlines())
    assert sorted(path.name for path in (root / "out").iterdir()) == ["talk.json", "talk.srt"]
    assert talk.read_bytes() == beginning.read_bytes()


def test_one_that_fails_does_not_stop_the_others(trax_ctl: Ctl, talk: Path, root: Path) -> None:
    empty = root / "empty.wav"
    empty.touch()
    done = trax_ctl("transcribe", str(empty), str(talk), "--out", str(root / "out"), "--json", *QUICK)
    assert done.returncode == 1
    bad, good = json.loads(done.stdout)["outcomes"]
    assert (bad["source"], bad["outputs"], bad["error"]["code"]) == (str(empty), [], "empty")
    assert str(root / "out" / "talk.json") in good["outputs"]
    assert good["error"] is None
    assert bad["error"]["advice"] in done.stderr


def test_batch_keeps_subfolders(trax_ctl: Ctl, talk: Path, root: Path) -> None:
    folder = root / "talks" / "monday"
    folder.mkdir(parents=True)
    talk.rename(folder / "Talk.WAV")
    (folder / "notes.md").write_text("not a recording")
    (folder / ".hidden.ogg").write_bytes(b"hidden")
    done = trax_ctl("batch", str(root / "talks"), "--out", str(root / "out"), *QUICK)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (root / "out" / "monday").iterdir()} == {"Talk.json", "Talk.srt", "Talk.vtt"}
    assert trax_ctl("batch", str(root / "nothing")).returncode == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_and_leaves_nothing_behind(start: Start, root: Path, number: int) -> None:
    with start("transcribe", str(CONVERSATION), "--out", str(root / "out"), *QUICK) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "vad" in line:
                break
        children = psutil.Process(process.pid).children(recursive=True)
        assert children
        process.send_signal(number)
        assert process.wait(20) == 128 + number
    gone, alive = psutil.wait_procs(children, timeout=5)
    assert not alive, gone
    assert list((root / "out").rglob("*")) == []


def test_a_terminal_sees_it_move(in_a_terminal: Callable[..., str], talk: Path, root: Path) -> None:
    text = in_a_terminal("transcribe", str(talk), "--out", str(root / "out"), *QUICK, TERM="xterm-256color")
    for words in ("transcribe", "━", "×", "speed", "cpu", "memory", "MB"):
        assert words in text, words
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")


def test_what_is_no_file_is_told_before_anything_starts(trax_ctl: Ctl, root: Path) -> None:
    began = time.monotonic()
    for name, words in (("none.wav", "no such file"), (str(root), "trax-ctl batch")):
        done = trax_ctl("transcribe", name)
        assert (done.returncode, done.stdout) == (1, "")
        assert words in done.stderr
    assert time.monotonic() - began < 20


def test_a_wrong_setting_is_told(trax_ctl: Ctl, talk: Path) -> None:
    done = trax_ctl("transcribe", str(talk), "--set", "diarize.max_speakrs=2")
    assert done.returncode == 1
    assert "did you mean diarize.max_speakers" in done.stderr


def test_links_lead_to_the_recording_under_their_own_name(tmp_path: Path) -> None:
    (tmp_path / "real.wav").touch()
    (tmp_path / "link.wav").symlink_to(tmp_path / "real.wav")
    assert named(tmp_path / "link.wav") == (tmp_path / "real.wav", "link")


def test_recordings_are_found_in_order_by_extension(tmp_path: Path) -> None:
    for name in ("b.wav", "a.MP3", "sub/c.wav", "sub/.d.wav", ".git/e.wav", "f.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    os.mkfifo(tmp_path / "pipe.wav")
    assert [name for _, name in recordings(tmp_path, (".wav", ".mp3"))] == ["a", "b", "sub/c"]
    with pytest.raises(UnreadableRecording):
        list(recordings(tmp_path / "none", (".wav",)))
