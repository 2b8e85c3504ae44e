"""How right the daemon is: real conversations through the real hot folder, scored against their exact words and speakers.

`make accuracy` runs all nine conversations, QUICK=1 the first of 2, 3 and 4 speakers. `--write PAGE` also writes its section of the page.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from accuracy_page import COLLAR_S, Run, Score, section, table
from appliance import Appliance, ApplianceError, read_json
from conversations import Conversation, scripts, write_all
from goals import report, report_failure
from machine import this_machine
from page_sections import command_of_this_run, today, write_section
from scoring import cp_word_errors, diarization_errors, speaker_count_error, word_errors
from speech_data import is_quick, librispeech, require_data

from trax.transcript import Turn

OUTPUTS = ("json", "srt", "vtt", "txt", "rttm", "ctm")
_START_ALLOWANCE_S = 120.0
_SLOWEST_RTF = 4.0
#: What stands for a transcript that is not there: nothing was heard, so everything was missed.
_NOTHING: Mapping[str, Any] = {"word_segments": [], "turns": [], "checksums": {}, "models": {}}


def texts_by_speaker(words: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Each speaker's words, in their order; words that nobody was given are under the empty name."""
    texts: dict[str, list[str]] = {}
    for word in words:
        texts.setdefault(str(word.get("speaker") or ""), []).append(str(word["word"]))
    return {speaker: " ".join(said) for speaker, said in texts.items()}


def score(reference: Conversation, answer: Mapping[str, Any], missing: tuple[str, ...] = ()) -> Score:
    """Score a transcript (the content of its JSON) against its reference."""
    words = answer["word_segments"]
    turns = tuple(Turn(float(turn["start"]), float(turn["end"]), str(turn["speaker"])) for turn in answer["turns"])
    sharp, collared = (diarization_errors(reference.turns, turns, duration=reference.duration, collar=collar) for collar in (0.0, COLLAR_S))
    return Score(
        name=reference.name,
        speakers=len(reference.speakers),
        count_error=speaker_count_error(reference.turns, turns),
        words=word_errors(reference.text, " ".join(str(word["word"]) for word in words)),
        cp_words=cp_word_errors(reference.texts, texts_by_speaker(words)),
        sharp=sharp,
        collared=collared,
        missing=missing,
    )


def missing_outputs(folder: Path, name: str, checksums: Mapping[str, str]) -> tuple[str, ...]:
    """The formats that are not in the outbox, or whose bytes are not those that the JSON vouches for."""

    def is_whole(ending: str) -> bool:
        path = folder / f"{name}.{ending}"
        return path.is_file() and (ending == "json" or hashlib.sha256(path.read_bytes()).hexdigest() == checksums.get(ending))

    return tuple(ending for ending in OUTPUTS if not is_whole(ending))


def measure(references: Sequence[Conversation], sounds: Path, work: Path, settings: Mapping[str, Any] | None = None) -> Run:
    """Drop every conversation, wait for every answer, score; `settings` beside the defaults.

    Raises ApplianceError when the daemon does not answer them all.
    """
    audio = sum(reference.duration for reference in references)
    with Appliance(work, {"output": {"formats": list(OUTPUTS)}, **(settings or {})}) as appliance:
        for reference in references:
            appliance.drop(sounds / f"{reference.name}.wav")
        print(f"{len(references)} conversations, {audio / 60:.1f} minutes, dropped …", file=sys.stderr)
        took = appliance.wait_until(
            lambda: len(appliance.transcripts()) + len(appliance.errors()) >= len(references), _START_ALLOWANCE_S + _SLOWEST_RTF * audio
        )
        for path in appliance.errors().values():
            print(f"{path.name}: {read_json(path)}", file=sys.stderr)
        answers = {name: read_json(path) for name, path in appliance.transcripts().items()}
        missing = {
            reference.name: missing_outputs(appliance.outbox, reference.name, answers.get(reference.name, _NOTHING)["checksums"])
            for reference in references
        }
    scores = tuple(score(reference, answers.get(reference.name, _NOTHING), missing[reference.name]) for reference in references)
    models = {role: str(model["name"]) for answer in answers.values() for role, model in answer["models"].items() if model}
    return Run(scores, models, took, audio)


def goal_values(scores: Sequence[Score]) -> dict[str, float]:
    """The values of the goals of this command."""
    return {
        "accuracy_outputs_missing": sum(len(each.missing) for each in scores),
        "accuracy_speaker_count_wrong": sum(1 for each in scores if each.count_error),
        "accuracy_speaker_confusion_worst": 100 * max(each.sharp.confusion_rate for each in scores),
    }


def main() -> int:
    """Run, print the table and the goals, write the section if asked; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the section into this page, such as docs/accuracy.md")
    arguments = parser.parse_args()
    clips = librispeech(require_data())
    command = command_of_this_run()
    with tempfile.TemporaryDirectory(prefix="trax-accuracy-") as temporary:
        sounds, root = Path(temporary) / "sounds", Path(temporary) / "root"
        try:
            run = measure(write_all(sounds, scripts(clips, quick=is_quick())), sounds, root)
        except ApplianceError as error:
            return report_failure("accuracy", str(error))
    machine = this_machine()
    print(f"machine: {machine}\ncommand: {command}\nmodels: {', '.join(f'{role} {name}' for role, name in run.models.items())}")
    print(f"time: {run.took:.0f} s for {run.audio:.0f} s of sound\n\n{table(run.scores)}\n")
    if arguments.write is not None:
        text = section(run, machine=machine, command=command, date=today())
        write_section(arguments.write, "conversations", text)
    return report("accuracy", goal_values(run.scores))


if __name__ == "__main__":
    raise SystemExit(main())
