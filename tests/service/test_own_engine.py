"""A whisper.cpp of this machine's own comes and goes while the daemon runs: each job is heard with what is there when it is planned."""

from __future__ import annotations

import shutil
from pathlib import Path

from own_build import put_build
from rig import WORDS, Traxd

from trax.jobs.job import Status

DEMO = Path(__file__).resolve().parents[2] / "demo" / "digits.ogg"


def test_each_job_says_which_build_heard_it(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    engine = root / "state" / "engine"
    heard = []
    with Traxd(root, {**WORDS, "asr": {"fast_model": "digits"}}) as traxd:
        for number in range(3):
            if number == 1:
                put_build(engine)
            elif number == 2:
                shutil.rmtree(engine)
            talk = tmp_path / f"talk-{number}.ogg"
            talk.write_bytes(DEMO.read_bytes() + bytes(number))  # not a recording that was done before
            traxd.put(talk, talk.name)
            assert traxd.wait_for(talk.name).status is Status.COMPLETED, traxd.log_tail()
            heard.append(traxd.transcript(talk.stem))
    libraries = [transcript["models"]["asr"]["library"] for transcript in heard]
    assert [library["build"] for library in libraries] == ["wheel", "copied", "wheel"]
    assert len(libraries[1]["sha256"]) == 64
    assert "path" not in libraries[1]
    words = [[word["word"] for word in transcript["word_segments"]] for transcript in heard]
    assert words[0] == words[1] == words[2]
    assert len(words[0]) > 30
