"""How often names are right: people enrolled from one piece of speech and heard in another, and people whom nobody enrolled.

Voices go the way of the product: voice activity, windows, embeddings, mean voices, `trax.diarize.profiles.likenesses` with the thresholds
of the model's card. `make accuracy` hears everyone, QUICK=1 60 of the 251. `--write PAGE` writes its section.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from goals import report
from machine import Machine, this_machine
from numpy.typing import NDArray
from page_sections import command_of_this_run, today, write_section
from speech_data import REPOSITORY, Samples, is_quick, librispeech, read_audio, require_data

from trax.audio.pcm import Pcm
from trax.audio.silero import Silero
from trax.audio.vad import find_speech
from trax.diarize.embed import Encoder, embed
from trax.diarize.profiles import likenesses, mean_voice
from trax.models.silero import weights
from trax.models.store import installed
from trax.transcript import VoicePrint

_SEED = 17
_QUICK_SPEAKERS = 60
#: People enrolled beside the one who speaks; and how many draws of such a company.
_COMPANY, _DRAWS = 20, 20
#: Utterances of one person that are enrolled, and that are heard together as one speaker of a recording.
_ENROLLED, _HEARD = 2, 2

Voice = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Pair:
    """One person's voice as enrolled, and as heard elsewhere; both (d,) of unit length."""

    speaker: str
    enrolled: Voice
    heard: Voice


@dataclass(frozen=True, slots=True)
class Counts:
    """Of so many speakers heard who are enrolled, and who are not: what they were taken for."""

    known: int = 0
    known_accepted: int = 0
    known_suggested: int = 0
    known_as_another: int = 0
    strangers: int = 0
    strangers_accepted: int = 0
    strangers_suggested: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(getattr(self, name) + getattr(other, name) for name in self.__slots__))

    @property
    def false_rejects(self) -> float:
        """The part of those enrolled who are not named, suggested or not."""
        return 1 - self.known_accepted / self.known if self.known else 0.0

    @property
    def false_accepts(self) -> float:
        """The part of the strangers who are named as somebody."""
        return self.strangers_accepted / self.strangers if self.strangers else 0.0

    @property
    def missed(self) -> float:
        """The part of those enrolled who are neither named nor rightly suggested."""
        return 1 - (self.known_accepted + self.known_suggested) / self.known if self.known else 0.0


class Ear:
    """What Trax hears of voices."""

    def __init__(self) -> None:
        self.model = next(model for model in installed(REPOSITORY / "models") if model.kind == "embedding")
        self._encode, self._silero = Encoder(self.model, 1), Silero(weights())

    def vectors(self, samples: Samples) -> NDArray[np.float32]:
        """The embeddings of the windows over the speech in these samples, shape (n, d)."""
        with tempfile.NamedTemporaryFile(suffix=".pcm") as file:
            file.write(samples.tobytes())
            file.flush()
            with Pcm(Path(file.name)) as pcm:
                speech = find_speech(pcm, self._silero, lambda _: None)
                return embed(pcm, speech, self._encode, lambda _: None, lambda: False).vectors


def halves(data: Path, ear: Ear, count: int | None) -> Iterator[Pair]:
    """251 people, each with one utterance cut in the middle: enrolled with the first half, heard in the second."""
    for path in sorted((data / "speakers").glob("*.flac"))[:count]:
        samples = read_audio(path)
        middle = len(samples) // 2
        parts = [ear.vectors(half) for half in (samples[:middle], samples[middle:])]
        if all(len(part) for part in parts):
            yield Pair(path.name.split("-")[0], mean_voice(parts[0]), mean_voice(parts[1]))


def utterances(data: Path, ear: Ear, each: int) -> Iterator[Pair]:
    """Those of whom there are several utterances: every pair of two enrolled and two others heard, one after another."""
    by_speaker: dict[str, list[Path]] = {}
    for clip in librispeech(data):
        by_speaker.setdefault(clip.speaker, []).append(clip.path)
    for speaker, paths in sorted(by_speaker.items()):
        some = random.Random(_SEED).sample(paths, min(len(paths), each * (_ENROLLED + _HEARD)))
        vectors = [ear.vectors(read_audio(path)) for path in some]
        for first in range(0, len(vectors) - _ENROLLED - _HEARD + 1, _ENROLLED + _HEARD):
            here = vectors[first : first + _ENROLLED + _HEARD]
            yield Pair(speaker, mean_voice(np.concatenate(here[:_ENROLLED])), mean_voice(np.concatenate(here[_ENROLLED:])))


def named(pairs: Sequence[Pair], company: Sequence[Pair], thresholds: Mapping[str, float]) -> Counts:
    """Each speaker heard once among people enrolled of whom they are one, once among others; the company is drawn anew each time."""
    draw = random.Random(_SEED)
    counts = Counts()
    for pair in pairs:
        others = [each for each in company if each.speaker != pair.speaker]
        for _ in range(_DRAWS):
            around = [_print(each) for each in draw.sample(others, min(_COMPANY, len(others)))]
            counts += _taken_for(pair, [*around[1:], _print(pair)], thresholds, is_known=True)
            counts += _taken_for(pair, around, thresholds, is_known=False)
    return counts


def _print(pair: Pair) -> VoicePrint:
    return VoicePrint(pair.speaker, tuple(map(float, pair.enrolled)))


def _taken_for(pair: Pair, people: Sequence[VoicePrint], thresholds: Mapping[str, float], *, is_known: bool) -> Counts:
    found = likenesses({"S": pair.heard}, people, **thresholds).get("S")
    if not is_known:
        accepted, suggested = (found is not None and found.is_accepted is wanted for wanted in (True, False))
        return Counts(strangers=1, strangers_accepted=accepted, strangers_suggested=suggested)
    is_right = found is not None and found.name == pair.speaker
    return Counts(
        known=1,
        known_accepted=bool(found and is_right and found.is_accepted),
        known_suggested=bool(found and is_right and not found.is_accepted),
        known_as_another=bool(found and not is_right and found.is_accepted),
    )


def equal_error(pairs: Sequence[Pair]) -> float:
    """The rate at which as many pairs of one person are held to be two as pairs of two are held to be one."""
    similarities = np.array([pair.heard for pair in pairs]) @ np.array([pair.enrolled for pair in pairs]).T
    is_same = np.array([[one.speaker == other.speaker for other in pairs] for one in pairs])
    same, other = np.sort(similarities[is_same]), np.sort(similarities[~is_same])
    thresholds = np.concatenate([same, other])
    rejects = np.searchsorted(same, thresholds) / len(same)
    accepts = 1 - np.searchsorted(other, thresholds) / len(other)
    at = int(np.abs(rejects - accepts).argmin())
    return float(max(rejects[at], accepts[at]))


def table(rows: Mapping[str, Counts], equal_errors: Mapping[str, float]) -> str:
    """Markdown."""
    lines = [
        "| people | equal error | enrolled: named | suggested | named as another | unknown | strangers: named | suggested |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name, counts in rows.items():
        parts = (counts.known_accepted, counts.known_suggested, counts.known_as_another)
        known = [100 * part / counts.known for part in (*parts, counts.known - sum(parts))]
        strangers = [100 * part / counts.strangers for part in (counts.strangers_accepted, counts.strangers_suggested)]
        lines.append(f"| {name} | {100 * equal_errors[name]:.1f} | " + " | ".join(f"{each:.1f}" for each in (*known, *strangers)) + " |")
    return "\n".join(lines)


HALVES, OTHERS, UTTERANCES = "251, half an utterance each: chosen on these", "the others of these", "6, two utterances each"


def measure(data: Path) -> tuple[dict[str, Counts], dict[str, float], dict[str, Any], dict[str, float]]:
    """The counts and equal error rates of each group, the model's card, and the thresholds."""
    ear = Ear()
    thresholds = {"accept": float(ear.model.settings["profile_accept"]), "suggest": float(ear.model.settings["profile_suggest"])}
    people = list(halves(data, ear, _QUICK_SPEAKERS if is_quick() else None))
    print(f"{len(people)} people heard …", file=sys.stderr, flush=True)
    several = list(utterances(data, ear, 2 if is_quick() else 5))
    groups = {HALVES: chosen_on(people), OTHERS: not_chosen_on(people), UTTERANCES: several}
    counts = {name: named(pairs, people if name == UTTERANCES else pairs, thresholds) for name, pairs in groups.items()}
    return counts, {name: equal_error(pairs) for name, pairs in groups.items()}, ear.model.to_plain(), thresholds


def chosen_on(pairs: Sequence[Pair]) -> list[Pair]:
    """Every second person: the thresholds of the card were chosen on these."""
    return list(pairs[::2])


def not_chosen_on(pairs: Sequence[Pair]) -> list[Pair]:
    """The others."""
    return list(pairs[1::2])


def goal_values(counts: Mapping[str, Counts]) -> dict[str, float]:
    """The values of the goals: of those on whom nothing was chosen."""
    unseen = counts[OTHERS] + counts[UTTERANCES]
    return {
        "profiles_strangers_named": 100 * unseen.false_accepts,
        "profiles_known_as_another": 100 * unseen.known_as_another / unseen.known,
        "profiles_known_not_named": 100 * unseen.false_rejects,
        "profiles_known_missed": 100 * unseen.missed,
    }


_RULES = f"""\
All figures are percent. **People**: 251 of LibriSpeech train-clean-100, one utterance each, cut in the middle: the first half is
enrolled, the second heard, 6 s on average each, and of one recording, which makes them more alike than two of different days; every second
of them served to choose the thresholds of the model's card, the others for nothing. And the 6 of LibriSpeech of whom there are several
utterances: {_ENROLLED} enrolled, {_HEARD} others heard together, as one speaker of a recording. **Enrolled**: each is heard while
{_COMPANY} people are enrolled, of whom they are one: how often they are named, suggested, or taken for another. **Strangers**: the same
while {_COMPANY} others are enrolled, and nobody is the right answer; the more are enrolled, the oftener that errs. The company is drawn
{_DRAWS} times for each. **Equal error**: of all pairs, at the threshold where as many of one person are held to be two as of two held to
be one. This is read speech, close to the microphone: expect worse from a meeting, and from another microphone than that of the clips.
"""


def section(text: str, *, model: Mapping[str, Any], thresholds: Mapping[str, float], machine: Machine, command: str, date: str) -> str:
    """The section of the page."""
    said = f"named from a similarity of {thresholds['accept']:g} on, suggested from {thresholds['suggest']:g}"
    head = f"## Speaker profiles\n\nMade by `{command}` on {date}; do not edit by hand.\n\n- machine: {machine}"
    return f"{head}\n- embedding: {model['name']} ({model['version']}), {said}\n\n{text}\n\n### Rules\n\n{_RULES}"


def main() -> int:
    """Measure, print the table and the goals, write the section if asked; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the section into this page, such as docs/accuracy.md")
    asked = parser.parse_args()
    counts, equal_errors, model, thresholds = measure(require_data())
    machine, command, text = this_machine(), command_of_this_run(), table(counts, equal_errors)
    print(f"machine: {machine}\n\n{text}\n")
    if asked.write:
        said = section(text, model=model, thresholds=thresholds, machine=machine, command=command, date=today())
        write_section(asked.write, "speaker profiles", said)
    return report("profiles", goal_values(counts))


if __name__ == "__main__":
    raise SystemExit(main())
