"""The main job on a sample: the real daemon over a throw-away root, a conversation dropped into its inbox, its subtitles printed.

Exits 0 only if every output is there and other people's parsers read it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pysubs2
import webvtt
from pyannote.database.util import load_rttm

from trax.cli.client import ask
from trax.errors import ControlError

HERE = Path(__file__).resolve().parent
SAMPLE = HERE / "conversation.ogg"
FORMATS = ("json", "srt", "vtt", "txt", "rttm", "ctm")
PATIENCE_SECONDS = 300.0


def main() -> int:
    """Run the demo; returns the exit code."""
    with tempfile.TemporaryDirectory(prefix="trax-demo-") as name:
        root = Path(name)
        environment = {key: value for key, value in os.environ.items() if not key.startswith("TRAX_")}
        environment |= {
            "TRAX_ROOT": str(root),
            "TRAX_CONFIG": str(HERE.parent / "config" / "trax.yaml"),
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
        if (outbox / "conversation.json").exists() or (outbox / "conversation.error.json").exists():
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
    if (failed := outbox / "conversation.error.json").exists():
        print(failed.read_text(), file=sys.stderr)
        return 1
    missing = [ending for ending in FORMATS if not (outbox / f"conversation.{ending}").is_file()]
    if missing:
        print(f"Missing outputs: {', '.join(missing)}", file=sys.stderr)
        return 1
    transcript = json.loads((outbox / "conversation.json").read_text())
    subtitles = outbox / "conversation.srt"
    parsed = [
        bool(transcript["segments"]) and len(transcript["speakers"]) > 1,
        len(pysubs2.load(str(subtitles))) == len(transcript["segments"]),
        len(webvtt.read(str(outbox / "conversation.vtt"))) == len(transcript["segments"]),
        len(load_rttm(outbox / "conversation.rttm")) == 1,  # type: ignore[no-untyped-call] # pyannote ships no types
        bool((outbox / "conversation.txt").read_text()),
        len((outbox / "conversation.ctm").read_text().splitlines()) >= len(transcript["word_segments"]),
    ]
    print(f"\n{subtitles.read_text()}")
    print("Really said:")
    for turn in json.loads((HERE / "conversation.json").read_text())["turns"]:
        print(f"  {turn['speaker']}: {turn['text']}")
    print(f"\n{len(transcript['speakers'])} speakers, {transcript['word_count']} words. {' '.join(transcript['warnings'])}")
    if not all(parsed):
        print("An output does not parse, or the speakers are not told apart.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
