"""Who spoke when, alone: voice activity, embeddings and clustering on meetings, overlapped speech and conversations of up to ten people.

`make accuracy` runs it, QUICK=1 with a sixth of the conversations. `--write PAGE` also writes its section of the page. Every way of
clustering hears the same embeddings, so that the rows of a table differ by nothing else.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import diarization_beds as beds
from diarization_page import COLLAR_S, UP_TO, Bed, Outcome, Result, section, tables
from goals import report
from machine import this_machine
from page_sections import command_of_this_run, today, write_section
from scoring import confused, diarization_errors, overlapped, speaker_count_error
from speech_data import is_quick, require_data

from trax.audio.pcm import Pcm
from trax.audio.silero import Silero
from trax.audio.vad import find_speech
from trax.diarize.embed import Embeddings, Encoder, embed
from trax.diarize.turns import diarize
from trax.diarize.voices import METHODS, Method
from trax.diarize.windows import bridge
from trax.models.model import Model
from trax.models.silero import weights
from trax.models.store import installed
from trax.transcript import Span, Turn

_EACH, _QUICK_EACH = 6, 1
_MOST_SPEAKERS = 10  # the default of the settings


class Lane:
    """Voice activity and embeddings of a recording, as the diarization lane makes them, and turns by any method."""

    def __init__(self, model: Model, threads: int = 1) -> None:
        self._silero, self._encode = Silero(weights()), Encoder(model, threads)
        self._threshold = float(model.settings["threshold"])

    def hear(self, recording: beds.Recording) -> tuple[tuple[Span, ...], Embeddings]:
        """Where there is speech, and what its windows sound like."""
        with tempfile.NamedTemporaryFile(suffix=".pcm") as file:
            file.write(recording.samples.astype("<i2").tobytes())
            file.flush()
            with Pcm(Path(file.name)) as pcm:
                speech = find_speech(pcm, self._silero, lambda _: None)
                return speech, embed(pcm, speech, self._encode, lambda _: None, lambda: False)

    def turns(self, speech: Sequence[Span], embeddings: Embeddings, method: Method) -> tuple[Turn, ...]:
        """Who speaks when, the number of speakers unknown."""
        found = diarize(embeddings, speech, min_speakers=1, max_speakers=_MOST_SPEAKERS, threshold=self._threshold, method=method)
        return found.turns


def embedding_model(state: Path) -> Model:
    """The embedding that Trax uses where nothing else is installed."""
    return next(model for model in installed(state) if model.kind == "embedding")


def measure(lane: Lane, name: str, recordings: Iterable[beds.Recording]) -> Bed:
    """Hear every recording of a bed once, and score it by every method."""
    results = dict[Method, list[Result]]()
    seconds, began, missed, floor, speech = 0.0, time.monotonic(), 0.0, 0.0, 0.0
    for recording in recordings:
        spans, embeddings = lane.hear(recording)
        seconds += recording.duration
        for method in METHODS:
            results.setdefault(method, []).append(_score(recording, lane.turns(spans, embeddings, method)))
        alone = [Turn(turn.start, turn.end, "") for turn in bridge([Span(turn.start, turn.end) for turn in recording.turns], 0.0)]
        heard = [Turn(span.start, span.end, "") for span in spans]
        missed += diarization_errors(alone, heard, duration=recording.duration, collar=0.0).missed
        speech += sum(turn.end - turn.start for turn in alone)
        floor += overlapped(recording.turns)
    print(f"{name}: {seconds / 60:.1f} minutes in {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    return Bed(name, seconds, missed, speech, floor, {method: Outcome(tuple(found)) for method, found in results.items()})


def _score(recording: beds.Recording, turns: Sequence[Turn]) -> Result:
    sharp, collared = (diarization_errors(recording.turns, turns, duration=recording.duration, collar=collar) for collar in (0.0, COLLAR_S))
    return Result(
        recording.name,
        recording.speakers,
        speaker_count_error(recording.turns, turns),
        sharp,
        collared,
        tuple(zip(turns, confused(recording.turns, turns), strict=True)),
    )


def all_beds(data: Path, each: int) -> Iterator[tuple[str, Sequence[beds.Recording]]]:
    """Every bed by its name: meetings, mixtures, and conversations by kind and number of speakers."""
    yield "AMI", tuple(beds.meetings(data))
    yield "LibriSpeechMix", tuple(beds.mixtures(data))
    joined = tuple(beds.conversations(data, each))
    for kind in beds.KINDS:
        for count in beds.COUNTS:
            yield f"{count} speakers, {kind}", tuple(one for one in joined if one.name.startswith(f"{count}-{kind}-"))


def goal_values(found: Sequence[Bed], method: Method) -> dict[str, float]:
    """The values of the goals of this command."""
    meetings = found[0].outcomes[method]
    upto_six = Outcome(tuple(result for bed in found[2:] for result in bed.outcomes[method].results if result.speakers <= UP_TO))
    return {
        "diarization_ami_der": 100 * meetings.sharp.rate,
        "diarization_ami_der_strived_for": 100 * meetings.sharp.rate,
        "diarization_conversations_confusion": 100 * upto_six.collared.confusion_rate,
        "diarization_conversations_der": 100 * upto_six.collared.rate,
        "diarization_conversations_counted": 100 * upto_six.counted / len(upto_six.results),
    }


def main() -> int:
    """Run, print the tables and the goals, write the section if asked; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the section into this page, such as docs/accuracy.md")
    arguments = parser.parse_args()
    data = require_data()
    with tempfile.TemporaryDirectory(prefix="trax-diarization-") as nothing:
        model = embedding_model(Path(nothing))
    lane = Lane(model)
    found = [measure(lane, name, recordings) for name, recordings in all_beds(data, _QUICK_EACH if is_quick() else _EACH)]
    machine = this_machine()
    print(f"machine: {machine}\nmodel: {model.name}\n\n{tables(found)}\n")
    if arguments.write is not None:
        command = command_of_this_run()
        text = section(found, model=model.name, machine=machine, command=command, date=today())
        write_section(arguments.write, "diarization", text)
    return report("diarization", goal_values(found, METHODS[0]))


if __name__ == "__main__":
    raise SystemExit(main())
