"""The main job on a sample: the real daemon over a throw-away root, a conversation dropped into its inbox, its subtitles printed.

Exits 0 only if every output is there, other people's parsers read it, and it says what was said, by whom, but for a few words.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pysubs2
import webvtt
from compare import Comparison, compare
from pyannote.database.util import load_rttm

from trax.cli.client import ask
from trax.errors import ControlError

HERE = Path(__file__).resolve().parent
SAMPLE = HERE / "digits.ogg"
MODEL = "digits"
FORMATS = ("json", "srt", "vtt", "txt", "rttm", "ctm")
PATIENCE_SECONDS = 300.0
#: What must be right, of the digits (less those that nobody said) and of the turns; less, and something is broken.
LEAST_SHARE = 0.85


def main() -> int:
    """Run the demo; returns the exit code."""
    with tempfile.TemporaryDirectory(prefix="trax-demo-") as name:
        root = Path(name)
        environment = {key: value for key, value in os.environ.items() if not key.startswith("TRAX_")}
        environment |= {
            "TRAX_ROOT": str(root),
            "TRAX_CONFIG": str(HERE.parent / "config" / "trax.yaml"),
            "TRAX_ASR_FAST_MODEL": MODEL,
            "TRAX_INTAKE_SETTLE_SECONDS": "1",
            "TRAX_OUTPUT_FORMATS": f"[{', '.join(FORMATS)}]",
            "TRAX_LOG_LEVEL": "WARNING",
        }
        print(f"Starting traxd over {root}, which is removed afterwards.")
        daemon = subprocess.Popen([sys.executable, "-m", "trax.service.main"], env=environment)
        try:
            if not _wait_for(root / "state" / "traxd.sock", daemon, 30):
                return 1
            print(f"Dropping {SAMPLE.name} into the inbox.")
            shutil.copyfile(SAMPLE, root / "inbox" / SAMPLE.name)
            if not _follow(root, daemon):
                return 1
            return _show(root / "outbox")
        finally:
            daemon.terminate()
            daemon.wait(20)


def _wait_for(path: Path, daemon: subprocess.Popen[bytes], seconds: float) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until and daemon.poll() is None:
        if path.exists():
            return True
        time.sleep(0.05)
    print("traxd did not start; what it says stands above.", file=sys.stderr)
    return False


def _follow(root: Path, daemon: subprocess.Popen[bytes]) -> bool:
    """Show the job's progress until the outbox has its answer."""
    outbox, until, shown = root / "outbox", time.monotonic() + PATIENCE_SECONDS, ""
    while time.monotonic() < until and daemon.poll() is None:
        if (outbox / f"{SAMPLE.stem}.json").exists() or (outbox / f"{SAMPLE.stem}.error.json").exists():
            return True
        try:
            running = ask(root / "state" / "traxd.sock", {"command": "status"})["running"]
        except ControlError:
            running = []
        for job in running:
            line = f"  {job['stage'] or 'starting'}: {job['progress']:.0%}"
            if line != shown:
                shown = line
                print(line, flush=True)
        time.sleep(0.5)
    print("No answer came.", file=sys.stderr)
    return False


def _show(outbox: Path) -> int:
    outputs = {ending: outbox / f"{SAMPLE.stem}.{ending}" for ending in (*FORMATS, "error.json")}
    if outputs["error.json"].exists():
        print(outputs["error.json"].read_text(), file=sys.stderr)
        return 1
    if missing := [ending for ending in FORMATS if not outputs[ending].is_file()]:
        print(f"Missing outputs: {', '.join(missing)}", file=sys.stderr)
        return 1
    transcript = json.loads(outputs["json"].read_text())
    answer = json.loads(SAMPLE.with_suffix(".json").read_text())
    print(f"\n{outputs['srt'].read_text()}")
    print("Really said:")
    for turn in answer["turns"]:
        print(f"  {turn['speaker']}: {turn['text']}")
    comparison, speakers = compare(answer["turns"], transcript["word_segments"]), len(transcript["speakers"])
    print(f"\n{_in_words(comparison, speakers)}")
    print("\n".join(transcript["warnings"]))
    if not _parse(outputs, transcript):
        print("An output does not parse.", file=sys.stderr)
        return 1
    if speakers != len(answer["voices"]) or not _suffices(comparison):
        print("That is not what was said: something is broken.", file=sys.stderr)
        return 1
    return 0


def _parse(outputs: Mapping[str, Path], transcript: Mapping[str, Any]) -> bool:
    """Whether other people's parsers find in each output what the JSON holds."""
    count = len(transcript["segments"])
    return (
        count > 0
        and len(pysubs2.load(str(outputs["srt"]))) == count
        and len(webvtt.read(str(outputs["vtt"]))) == count
        and len(load_rttm(outputs["rttm"])) == 1  # type: ignore[no-untyped-call] # pyannote ships no types
        and bool(outputs["txt"].read_text())
        and len(outputs["ctm"].read_text().splitlines()) >= len(transcript["word_segments"])
    )


def _in_words(found: Comparison, speakers: int) -> str:
    digits = f"{found.right} of {found.said} digits right ({found.wrong} wrong, {found.missed} missed, {found.added} that nobody said)"
    times = "" if found.late is None else f", their beginnings {found.late:.2f} s off (median)"
    return f"{digits}{times}; {speakers} speakers, {found.turns_right} of {found.turns} turns by the right voice."


def _suffices(found: Comparison) -> bool:
    return found.right - found.added >= LEAST_SHARE * found.said and found.turns_right >= LEAST_SHARE * found.turns


if __name__ == "__main__":
    sys.exit(main())
