"""200 short files dropped at once: 200 answers, none twice. One file copied in a chunk a second: one answer, of all its bytes."""

from __future__ import annotations

import hashlib
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from appliance import Appliance, ApplianceError, read_json
from conversations import long_recording
from goals import report, report_failure
from machine import this_machine
from speech_data import librispeech, require_data, short_clips

_FILES = 200
_CHUNKS = 15
_CHUNK_EVERY_S = 1.0
_FILES_TIMEOUT_S = 1800.0
_SLOW_TIMEOUT_S = 300.0
#: After the last answer, how long to watch for one too many: past the default settle time and several rescans.
_WATCH_ON_S = 15.0
_SETTINGS = {"intake": {"rescan_seconds": 3.0}}


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of the files dropped, by the SHA-256 of their bytes."""

    answers: int
    unanswered: int
    repeated: int


def tally(dropped: Iterable[str], answered: Iterable[str]) -> Tally:
    """Compare the hashes dropped (all different) with the hashes that the transcripts name."""
    answers = Counter(answered)
    return Tally(
        answers=answers.total(),
        unanswered=sum(1 for sha256 in set(dropped) if not answers[sha256]),
        repeated=sum(count - 1 for count in answers.values()),
    )


def _answered(transcripts: Mapping[str, Path]) -> list[str]:
    return [str(read_json(path)["media"]["sha256"]) for path in transcripts.values()]


def _watch_on(appliance: Appliance) -> None:
    until = time.monotonic() + _WATCH_ON_S
    appliance.wait_until(lambda: time.monotonic() >= until, 2 * _WATCH_ON_S)


def drop_at_once(paths: Iterable[Path], work: Path) -> tuple[Tally, int, float]:
    """Drop every file at once; returns the tally, the number of error answers and the seconds to the last answer."""
    paths = tuple(paths)
    with Appliance(work, _SETTINGS) as appliance:
        for path in paths:
            appliance.drop(path)
        took = appliance.wait_until(lambda: len(appliance.transcripts()) + len(appliance.errors()) >= len(paths), _FILES_TIMEOUT_S)
        _watch_on(appliance)
        for path in appliance.errors().values():
            print(f"{path.name}: {read_json(path)}", file=sys.stderr)
        dropped = [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]
        return tally(dropped, _answered(appliance.transcripts())), len(appliance.errors()), took


def copy_slowly(recording: Path, work: Path) -> tuple[int, int]:
    """Copy a file in under its own name, a chunk a second; returns the number of answers and the bytes the answer lacks."""
    content = recording.read_bytes()
    size = -(-len(content) // _CHUNKS)
    with Appliance(work, _SETTINGS) as appliance:
        with (appliance.inbox / recording.name).open("wb", buffering=0) as target:
            for start in range(0, len(content), size):
                target.write(content[start : start + size])
                time.sleep(_CHUNK_EVERY_S)
        appliance.wait_until(lambda: bool(appliance.transcripts() or appliance.errors()), _SLOW_TIMEOUT_S)
        _watch_on(appliance)
        answers = len(appliance.transcripts()) + len(appliance.errors())
        if recording.stem not in appliance.transcripts():
            raise ApplianceError(f"The slow copy has no transcript: {[read_json(path) for path in appliance.errors().values()]}")
        media = read_json(appliance.transcripts()[recording.stem])["media"]
    if media["size"] == len(content) and media["sha256"] != hashlib.sha256(content).hexdigest():
        raise ApplianceError("The answer to the slow copy is of other bytes than those copied.")
    return answers, len(content) - int(media["size"])


def main() -> int:
    """Measure both, print what happened and the goals; returns the exit status."""
    data = require_data()
    with tempfile.TemporaryDirectory(prefix="trax-many-") as temporary:
        work = Path(temporary)
        recording = work / "slow-copy.wav"
        long_recording(recording, 0.5, librispeech(data))
        try:
            counts, errors, took = drop_at_once(short_clips(data, _FILES), work / "many")
            answers, missing = copy_slowly(recording, work / "slow")
        except ApplianceError as error:
            return report_failure("many_files", str(error))
    print(f"machine: {this_machine()}\n")
    print(f"{_FILES} files dropped at once: {counts.answers} transcripts and {errors} errors within {took:.0f} s")
    print(f"1 file copied in {_CHUNKS} chunks, one each {_CHUNK_EVERY_S:g} s: {answers} answer(s), {missing} bytes missing\n")
    return report(
        "many_files",
        {
            "many_files_answers": counts.answers,
            "many_files_unanswered": counts.unanswered,
            "many_files_repeated": counts.repeated,
            "slow_copy_answers": answers,
            "slow_copy_bytes_missing": missing,
        },
    )


if __name__ == "__main__":
    raise SystemExit(main())
