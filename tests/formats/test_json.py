"""The JSON answers keep the documented shape."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from trax.errors import DamagedRecording, WorkerCrashed
from trax.formats import RENDERERS, json_, render_all, render_error
from trax.text import is_visible
from trax.transcript import Evidence, Transcript, Word

DOCS = Path(__file__).parents[2] / "docs"


def validated(text: str | bytes, schema: str) -> dict[str, Any]:
    """The parsed answer, once it is as the schema says: with no field that the schema does not describe."""
    rules = json.loads((DOCS / schema).read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(rules)
    answer: dict[str, Any] = json.loads(text)
    jsonschema.Draft202012Validator(rules).validate(answer)
    return answer


def rendered(transcript: Transcript, formats: Iterable[str]) -> dict[str, bytes]:
    return {name: b"".join(pieces) for name, pieces in render_all(transcript, formats).items()}


def test_a_conversation_is_as_the_schema_says(conversation: Transcript) -> None:
    answer = validated(b"".join(json_.pieces(conversation, {"srt": "ab" * 32})), "transcript.schema.json")
    assert [speaker["talk_seconds"] for speaker in answer["speakers"]] == [5.9, 0.8]
    assert answer["checksums"] == {"srt": "ab" * 32}
    assert answer["run"]["job"] == "20250301-100000-abcd"


def test_what_is_known_of_the_words_stands_beside_them(refined: Transcript, evidence: Evidence) -> None:
    answer = validated(json_.render(refined), "transcript.schema.json")
    figures = dataclasses.asdict(evidence)
    assert answer["evidence"] == [{"start": 8.0, "end": 8.6, "text": "At ten.", **figures}]
    invented = {"start": 30.0, "end": 42.0, "text": "Thanks for watching!", "why": "text where nobody speaks", "evidence": figures}
    assert answer["quarantined"] == [invented]
    twice = {"start": 7.5, "end": 9.0, "before": "A", "after": "At", "replaced": True, "model": "small.en-q8_0", "why": "more probable"}
    assert answer["refinements"] == [twice]


def test_what_was_invented_is_only_in_the_json_and_said_to_be_there(refined: Transcript) -> None:
    outputs = {name: output.decode() for name, output in rendered(refined, RENDERERS).items()}
    answer = json.loads(outputs.pop("json"))
    assert not any("watching" in output for output in outputs.values())
    assert not any("watching" in json.dumps(answer[part]) for part in ("segments", "word_segments", "evidence"))
    assert [warning for warning in answer["warnings"] if "1 passage was left out as invented" in warning]


def test_silence_is_as_the_schema_says(silence: Transcript) -> None:
    answer = validated(json_.render(silence), "transcript.schema.json")
    assert (answer["segments"], answer["word_segments"], answer["turns"], answer["accuracy_estimate"]) == ([], [], [], None)
    assert answer["warnings"] == ["No speech was found."]


def test_words_without_a_speaker_are_as_the_schema_says(assembled) -> None:
    answer = validated(json_.render(assembled([("Hello", 1, 2, 0.9)], None)), "transcript.schema.json")
    assert "speaker" not in answer["segments"][0]
    assert "speaker" not in answer["word_segments"][0]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("schema_version", "2.0"), ("segments", [{"text": "no times"}]), ("needs_review", "no"), ("unknown", 1)),
        ("accuracy_estimate", 1.5),
        *(("evidence", [{"start": 0}]), ("quarantined", [{"text": "a"}]), ("refinements", [{}])),
    ],
)
def test_the_schema_refuses_what_is_not_so(conversation: Transcript, field: str, value: object) -> None:
    answer = json.loads(json_.render(conversation)) | {field: value}
    with pytest.raises(jsonschema.ValidationError):
        validated(json.dumps(answer), "transcript.schema.json")


def test_it_is_what_readers_of_whisperx_expect(conversation: Transcript) -> None:
    answer = json.loads(json_.render(conversation))
    first = answer["segments"][0]
    assert {"start", "end", "text", "speaker", "words"} <= first.keys()
    assert {"word", "start", "end", "score", "speaker"} <= first["words"][0].keys()
    assert answer["word_segments"] == [word for segment in answer["segments"] for word in segment["words"]]
    assert answer["language"] == "en"


def test_doubtful_words_are_marked_and_counted(conversation: Transcript) -> None:
    answer = json.loads(json_.render(conversation))
    assert [word["word"] for word in answer["word_segments"] if word.get("doubtful")] == ["ten."]
    assert (answer["word_count"], answer["doubtful_word_count"]) == (21, 1)


def test_two_runs_differ_only_in_run(conversation: Transcript) -> None:
    again = dataclasses.replace(conversation, job="another", run={"started": "2026-01-01T00:00:00Z"})
    one, other = (rendered(transcript, RENDERERS) for transcript in (conversation, again))
    assert {name: text for name, text in one.items() if name != "json"} == {name: text for name, text in other.items() if name != "json"}
    first, second = json.loads(one["json"]), json.loads(other["json"])
    assert first.pop("run") != second.pop("run")
    assert first == second


def test_the_json_comes_last_with_the_checksums_of_the_others(conversation: Transcript) -> None:
    outputs = rendered(conversation, ["json", "srt", "vtt"])
    assert list(outputs) == ["srt", "vtt", "json"]
    checksums = json.loads(outputs["json"])["checksums"]
    assert checksums == {name: hashlib.sha256(outputs[name]).hexdigest() for name in ("srt", "vtt")}


def test_there_is_a_renderer_for_every_format_of_the_settings(conversation: Transcript) -> None:
    assert list(rendered(conversation, RENDERERS)) == ["srt", "vtt", "txt", "rttm", "ctm", "json"]


def test_hostile_names_and_words_can_be_written_and_read(assembled) -> None:
    transcript = assembled([("a\n\x00\ud800\u2028b", 1, 2, 0.9)], None, name='new\nline "\udcff\ud800.mp3')
    outputs = {name: output.decode("utf-8") for name, output in rendered(transcript, RENDERERS).items()}
    answer = validated(outputs["json"], "transcript.schema.json")
    assert answer["word_segments"][0]["word"] == "a \ufffd b"
    assert answer["media"]["name"] == 'new\nline "\\xff?.mp3'


def test_what_is_no_number_is_refused(conversation: Transcript) -> None:
    segment = dataclasses.replace(conversation.segments[0], words=(Word("a", 1.0, 1.5, math.nan),))
    with pytest.raises(ValueError, match="not JSON compliant"):
        json_.render(dataclasses.replace(conversation, segments=(segment,)))


def test_every_field_is_described_in_the_documentation(conversation: Transcript, refined: Transcript) -> None:
    page = (DOCS / "output.md").read_text(encoding="utf-8")
    answer = json.loads(json_.render(conversation))
    parts = [answer, answer["segments"][0], answer["word_segments"][-1], answer["speakers"][0], answer["turns"][0], answer["media"]]
    heard = json.loads(json_.render(refined))
    parts += [heard["evidence"][0], heard["quarantined"][0], heard["refinements"][0]]
    parts.append(json.loads(render_error(DamagedRecording("x"), recording="a", job=None)))
    assert [field for part in parts for field in part if f"`{field}`" not in page] == []


def test_the_error_answer() -> None:
    text = render_error(DamagedRecording("The sound breaks off after 3 s.", file="talk.mp3"), recording="talk.mp3", job="j1")
    assert validated(text, "error.schema.json") == {
        "schema_version": json_.SCHEMA_VERSION,
        "recording": "talk.mp3",
        "what": "This recording was not transcribed.",
        "why": "The sound breaks off after 3 s.",
        "what_to_do": "Export the recording again from its source: the file is cut short or damaged.",
        "permanent": True,
        "code": "damaged",
        "job": "j1",
    }


def test_the_error_answer_for_a_name_that_is_no_text() -> None:
    text = render_error(WorkerCrashed("Killed \udcfe."), recording="\udcff\n.mp3", job=None)
    answer = validated(text, "error.schema.json")
    assert (answer["recording"], answer["why"], answer["permanent"]) == ("\\xff\n.mp3", "Killed \\xfe.", False)


def test_what_turns_the_writing_round_or_hides_is_an_escape_to_whoever_looks_and_itself_to_a_reader() -> None:
    name = "a\u202eb\u200f\x9b\x7f\U000e0041 é日本.wav"
    said = b"".join(json_.laid_out({"name": name})).decode()
    assert all(is_visible(character) for character in said.replace("\n", ""))
    assert "é日本" in said
    assert json.loads(said) == {"name": name}
