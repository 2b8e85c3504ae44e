"""The kernel's answer to whether someone still writes to a file, with no more rights than the unit grants."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from trax.intake import writers

#: Run as a user of its own: asks about a file of another's, then looks at what a process that it starts may do.
ASKS = """
import sys
sys.path[:0] = ["."]
import writers, pathlib, subprocess
print(writers.has_writer(pathlib.Path(sys.argv[1])))
writers.keep_right_to_ask()
print(writers.has_writer(pathlib.Path(sys.argv[1])))
print(subprocess.run(["grep", "CapEff", "/proc/self/status"], capture_output=True, text=True).stdout.split()[1])
"""


def answers(recording: Path, folder: Path) -> list[str]:
    rights = ["--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs", "--bounding-set=-all,+lease"]
    command = ["setpriv", *rights, "--inh-caps=-all,+lease", "--ambient-caps=-all,+lease", sys.executable, "-c", ASKS, str(recording)]
    told = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    return told.stdout.split()


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("setpriv") is None, reason="only root can give another user one right; needs setpriv")
def test_the_rights_of_the_unit_are_enough_for_files_of_others_and_stay_with_the_daemon() -> None:
    with tempfile.TemporaryDirectory(prefix="trax-writers-") as name:  # `tmp_path` lies in a folder of its owner's
        folder = Path(name)
        folder.chmod(0o755)
        source = Path(writers.__file__)
        (folder / "trax" / "intake").mkdir(parents=True)
        shutil.copy(source.with_name("beneath.py"), folder / "trax" / "intake")
        shutil.copy(source, folder)
        recording = folder / "talk.mp3"
        with recording.open("wb") as writer:
            recording.chmod(0o644)
            writer.write(b"sound")
            assert answers(recording, folder) == ["True", "True", "0" * 16]
        assert answers(recording, folder) == ["False", "False", "0" * 16]
