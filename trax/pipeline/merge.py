"""What was heard and who spoke become one transcript. Pure."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from trax.config import JobSettings
from trax.pipeline import provenance
from trax.pipeline.attribution import NEAREST_LIMIT, attribute
from trax.pipeline.subtitles import subtitles
from trax.pipeline.tidy import milliseconds, tidy_turns, tidy_words
from trax.pipeline.turn_edges import realign
from trax.transcript import Diarization, Likeness, Media, Quarantined, Recognition, Segment, Speaker, Transcript, Turn, Word

MAYBE = "{label} may be {name}: alike by {similarity:.2f}, which is not enough to say so."
_LABEL = re.compile(r"SPEAKER_\d+")
NO_SPEECH = "No speech was found."
NO_WORDS = "Voices were heard, but no words were recognised."
POCKETSPHINX = (
    "The words are from the built-in PocketSphinx engine, which is far less accurate than a Whisper model: "
    "expect many wrong words, and no punctuation. `trax-ctl models pull distil-small.en` brings one."
)


@dataclass(frozen=True, slots=True)
class Merged:
    """Subtitles with their words' speakers, the tidy turns, and the speakers by label."""

    segments: tuple[Segment, ...]
    turns: tuple[Turn, ...]
    speakers: tuple[Speaker, ...]

    @property
    def words(self) -> tuple[Word, ...]:
        """All words in order."""
        return tuple(word for segment in self.segments for word in segment.words)


def merge(recognition: Recognition, diarization: Diarization | None, duration: float) -> Merged:
    """Give each word its speaker and cut the words into subtitles; without diarization nobody has a name.

    Args:
        recognition: What the engine heard.
        diarization: Who spoke when, None where that was not asked for.
        duration: Of the recording, in seconds; nothing in the result lies past it.

    Raises:
        WorkerError: A model gave times or scores that cannot be (not finite; more words than milliseconds).
    """
    turns = tidy_turns(diarization.turns if diarization else (), duration)
    one_at_a_time = diarization.exclusive if diarization else None
    speaking = turns if one_at_a_time is None else tidy_turns(one_at_a_time, duration)
    words = realign(attribute(tidy_words(recognition, duration), speaking))
    return Merged(subtitles(words, recognition.language, duration), turns, _speakers(words, turns))


def _speakers(words: Sequence[Word], turns: Sequence[Turn]) -> tuple[Speaker, ...]:
    spoken = Counter(word.speaker for word in words)
    of: dict[str, list[Turn]] = defaultdict(list)
    for turn in turns:
        of[turn.speaker].append(turn)
    return tuple(Speaker(label, _talk(own) / 1000, spoken[label], speaker_confidence(own) or 0.0) for label, own in sorted(of.items()))


def _talk(turns: Sequence[Turn]) -> int:
    return sum(milliseconds(turn.end) - milliseconds(turn.start) for turn in turns)


def speaker_confidence(turns: Sequence[Turn]) -> float | None:
    """The mean confidence of the turns by duration, None without turns."""
    talk = _talk(turns)
    weighted = sum(turn.confidence * (milliseconds(turn.end) - milliseconds(turn.start)) for turn in turns)
    return round(weighted / talk, 4) if talk else None


def accuracy_estimate(words: Sequence[Word]) -> float | None:
    """The mean of the words' scores: were these true probabilities, the share of words to expect to be right. None without words."""
    return round(sum(word.score for word in words) / len(words), 4) if words else None


def assemble(
    recognition: Recognition,
    diarization: Diarization | None,
    *,
    job: str,
    media: Media,
    models: Mapping[str, Mapping[str, Any]],
    settings: JobSettings,
    settings_hash: str,
    warnings: Sequence[str] = (),
) -> Transcript:
    """The transcript of a job, but for `run`.

    It needs review when the estimated accuracy is below the threshold of the settings, or voices were heard but no words.

    Args:
        recognition: What the engine heard.
        diarization: Who spoke when, None where that was not asked for; who is accepted as somebody enrolled has that name everywhere.
        job: The job's id.
        media: The recording.
        models: What was used, by role (`asr`, `refine`, `segmentation`, `embedding`, `vad`), as plain values.
        settings: The job's snapshot: its thresholds count here.
        settings_hash: Of that snapshot.
        warnings: What the stages have to say; the merge adds its own.

    Raises:
        WorkerError: As `merge`.
    """
    likenesses = diarization.likenesses if diarization else {}
    names = {label: likeness.name for label, likeness in likenesses.items() if likeness.is_accepted}
    diarization = diarization and _renamed(diarization, names)
    merged = merge(recognition, diarization, media.duration)
    known = {names.get(label, label): likeness for label, likeness in likenesses.items()}
    estimate = accuracy_estimate(merged.words)
    left_out = provenance.quarantined(recognition, media.duration)
    return Transcript(
        job=job,
        media=media,
        language=recognition.language,
        segments=merged.segments,
        turns=merged.turns,
        speakers=tuple(replace(speaker, likeness=known.get(speaker.label)) for speaker in merged.speakers),
        models=models,
        settings_hash=settings_hash,
        accuracy_estimate=estimate,
        needs_review=bool(merged.turns) if estimate is None else estimate < settings.accuracy_threshold,
        accuracy_threshold=settings.accuracy_threshold,
        confidence_threshold=settings.confidence_threshold,
        warnings=(
            *warnings,
            *(diarization.warnings if diarization else ()),
            *_warnings(merged, models),
            *_on_left_out(left_out),
            *_on_names(likenesses),
        ),
        heard=provenance.heard(recognition, media.duration),
        quarantined=left_out,
        refinements=provenance.refinements(recognition, media.duration),
        speaker_confidence=speaker_confidence(merged.turns),
    )


def _renamed(diarization: Diarization, names: Mapping[str, str]) -> Diarization:
    def by_name(turns: Sequence[Turn]) -> tuple[Turn, ...]:
        return tuple(replace(turn, speaker=names.get(turn.speaker, turn.speaker)) for turn in turns)

    exclusive = None if diarization.exclusive is None else by_name(diarization.exclusive)
    warnings = tuple(_LABEL.sub(lambda found: names.get(found[0], found[0]), warning) for warning in diarization.warnings)
    return replace(diarization, turns=by_name(diarization.turns), exclusive=exclusive, warnings=warnings)


def _warnings(merged: Merged, models: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    words = merged.words
    if not words:
        yield NO_WORDS if merged.turns else NO_SPEECH
    elif models.get("asr", {}).get("engine") == "pocketsphinx":
        yield POCKETSPHINX
    nobody = sum(word.speaker is None for word in words)
    if nobody and merged.turns:
        yield f"{nobody} of {len(words)} words lie more than {NEAREST_LIMIT:g} s from any speaker's turn and have no speaker."


def _on_left_out(left_out: Sequence[Quarantined]) -> Iterator[str]:
    if left_out:
        passages = "1 passage was" if len(left_out) == 1 else f"{len(left_out)} passages were"
        yield f"{passages} left out as invented by the recogniser: the JSON has what was left out, and why, under `quarantined`."


def _on_names(likenesses: Mapping[str, Likeness]) -> Iterator[str]:
    for label, likeness in sorted(likenesses.items()):
        if not likeness.is_accepted:
            yield MAYBE.format(label=label, name=likeness.name, similarity=likeness.similarity)
