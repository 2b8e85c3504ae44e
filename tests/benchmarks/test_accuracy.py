"""The scoring of a transcript, on transcripts made from the reference itself."""

import hashlib

import pytest
from accuracy import OUTPUTS, goal_values, missing_outputs, score, texts_by_speaker
from accuracy_page import Run, section, table
from conversations import Conversation, Utterance
from machine import Machine, cpu_model

from trax.transcript import Span

REFERENCE = Conversation(
    "talk",
    20.0,
    (
        Utterance("anna", 0.0, 10.0, "GOOD MORNING BEN", (Span(0.0, 4.0), Span(5.0, 10.0))),
        Utterance("ben", 10.5, 20.0, "hello anna how are you", (Span(11.0, 20.0),)),
    ),
)
NAMES = {"anna": "SPEAKER_00", "ben": "SPEAKER_01"}


def answer(reference=REFERENCE, names=NAMES):
    """The transcript of a recogniser that makes no mistake."""
    return {
        "word_segments": [
            {"word": word, "start": said.start, "end": said.end, "speaker": names[said.speaker]}
            for said in reference.utterances
            for word in said.text.split()
        ],
        "turns": [{"start": turn.start, "end": turn.end, "speaker": names[turn.speaker], "confidence": 1.0} for turn in reference.turns],
    }


def test_a_perfect_transcript_has_no_errors():
    perfect = score(REFERENCE, answer())
    assert (perfect.words.errors, perfect.cp_words.errors, perfect.sharp.rate, perfect.collared.rate, perfect.count_error) == (
        0,
        0,
        0,
        0,
        0,
    )
    assert perfect.words.words == 8
    assert perfect.sharp.speech == pytest.approx(18)
    assert set(goal_values([perfect]).values()) == {0}


def test_one_voice_for_all_is_confusion_and_a_wrong_count():
    merged = score(REFERENCE, answer(names={"anna": "SPEAKER_00", "ben": "SPEAKER_00"}))
    assert merged.count_error == -1
    assert merged.words.errors == 0
    # the one voice is paired with either; the other's 9 s are confused
    assert merged.sharp.confusion == pytest.approx(9)
    # paired with ben, who has more words: anna's three are deleted from her and inserted for him
    assert merged.cp_words.errors == 6
    values = goal_values([score(REFERENCE, answer()), merged])
    assert values["accuracy_speaker_count_wrong"] == 1
    assert values["accuracy_speaker_confusion_worst"] == pytest.approx(50)


def test_no_transcript_is_everything_missed():
    nothing = score(REFERENCE, {"word_segments": [], "turns": []}, OUTPUTS)
    assert (nothing.words.rate, nothing.cp_words.rate, nothing.sharp.rate, nothing.count_error) == (1, 1, 1, -2)
    assert goal_values([nothing])["accuracy_outputs_missing"] == 6


def test_words_without_a_speaker_stay_apart():
    words = [{"word": "a", "speaker": "0"}, {"word": "b"}, {"word": "c", "speaker": "0"}]
    assert texts_by_speaker(words) == {"0": "a c", "": "b"}


def test_outputs_are_there_and_have_the_bytes_the_json_vouches_for(tmp_path):
    checksums = {}
    for ending in OUTPUTS:
        (tmp_path / f"talk.{ending}").write_bytes(ending.encode())
        checksums[ending] = hashlib.sha256(ending.encode()).hexdigest()
    assert missing_outputs(tmp_path, "talk", checksums) == ()
    (tmp_path / "talk.srt").write_bytes(b"other")
    (tmp_path / "talk.ctm").unlink()
    assert missing_outputs(tmp_path, "talk", checksums) == ("srt", "ctm")
    assert missing_outputs(tmp_path, "gone", {}) == OUTPUTS


def test_the_table_has_a_row_for_each_and_one_for_all():
    merged = score(REFERENCE, answer(names={"anna": "SPEAKER_00", "ben": "SPEAKER_00"}))
    rows = table([score(REFERENCE, answer()), merged]).splitlines()
    assert len({row.count("|") for row in rows}) == 1
    assert rows[2] == "| talk | 2 → 2 | 8 | 0.0 | 0.0 | 0.0 | 0.0 | 0.0 | 0.0 | 0.0 |"
    assert rows[3].startswith("| talk | 2 → 1 | 8 | 0.0 | 75.0 | 50.0 | 0.0 | 0.0 | 50.0 |")
    assert rows[4].startswith("| **all** | 1 of 2 right | 16 | 0.0 | 37.5 | 25.0 |")


def test_the_section_names_the_command_the_machine_and_the_models():
    run = Run((score(REFERENCE, answer()),), {"asr": "pocketsphinx-en"}, took=10.0, audio=20.0)
    text = section(run, machine=Machine("Some CPU 9", 2, 7.8, "3.11.7"), command="make accuracy", date="2026-01-02")
    for part in ("`make accuracy` on 2026-01-02", "Some CPU 9, 2 cores, 8 GiB", "- asr: pocketsphinx-en", "speed 2.0 ×", "| talk |"):
        assert part in text


def test_a_cpu_is_named_so_that_it_can_be_told_from_others():
    assert cpu_model("model name\t: Intel(R) Core(TM) i5-8250U CPU @ 1.60GHz\nmodel\t: 142\n") == "Intel(R) Core(TM) i5-8250U CPU @ 1.60GHz"
    assert (
        cpu_model("cpu family\t: 25\nmodel\t\t: 17\nmodel name\t: AMD EPYC\nstepping\t: 1\n")
        == "AMD EPYC (cpu family 25, model 17, stepping 1)"
    )
    assert cpu_model("processor\t: 0\n") is None
