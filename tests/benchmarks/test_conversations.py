"""Conversations: the plan is pure; the sound is joined from real speech."""

import json
import random
import wave
from itertools import pairwise, takewhile
from pathlib import Path

import numpy as np
import pytest
from conversations import MAX_GAP_S, MIN_GAP_S, endless_lines, join, long_recording, order_of_speakers, scripts, write
from hypothesis import given
from hypothesis import strategies as st
from pyannote.database.util import load_rttm
from speech_data import SAMPLE_RATE, Clip, librispeech, read_audio, require_data, short_clips

CLIPS = tuple(Clip(Path(f"{speaker}-{number}"), 8.0, speaker, f"{speaker} {number}") for speaker in "abcdef" for number in range(10))


@pytest.fixture(scope="module")
def script(data_folder):
    return scripts(librispeech(data_folder))[0]


@given(st.integers(2, 5), st.integers(1, 6), st.integers())
def test_everyone_speaks_once_a_round_and_nobody_twice_in_a_row(count, rounds, seed):
    speakers = "abcde"[:count]
    order = order_of_speakers(speakers, rounds, random.Random(seed))
    assert all(sorted(order[start : start + count]) == list(speakers) for start in range(0, len(order), count))
    assert len(order) == rounds * count
    assert all(left != right for left, right in pairwise(order))


def test_the_scripts_are_the_same_each_time_and_differ_by_seed():
    assert scripts(CLIPS) == scripts(CLIPS)
    assert scripts(CLIPS) != scripts(CLIPS, seed=1)


def test_there_are_three_conversations_each_of_two_three_and_four_speakers():
    groups = [frozenset(line.clip.speaker for line in script.lines) for script in scripts(CLIPS)]
    assert [len(group) for group in groups] == [2, 2, 2, 3, 3, 3, 4, 4, 4]
    assert len(set(groups)) == 9


def test_no_utterance_is_used_twice_and_every_gap_is_within_bounds():
    for script in scripts(CLIPS):
        assert len({line.clip for line in script.lines}) == len(script.lines)
        assert all(MIN_GAP_S <= line.gap <= MAX_GAP_S for line in script.lines)


def test_the_quick_form_is_a_part_of_the_full_one():
    full = scripts(CLIPS)
    assert scripts(CLIPS, quick=True) == (full[0], full[3], full[6])


def test_a_long_recording_never_ends_and_follows_the_book():
    clips = (*CLIPS, *(Clip(Path(f"g-{number}"), 8.0, "g", "") for number in range(20)))
    lines = endless_lines(clips)
    first = [next(lines).clip for _ in range(100)]
    assert [clip for clip in first if clip.speaker == "g"][:20] == list(clips[-20:])
    assert len(list(takewhile(lambda clip: clip.speaker == "g", first))) == 3
    assert len({clip.speaker for clip in first}) == 7


def test_the_utterances_lie_where_the_reference_says(script):
    sound, conversation = join(script)
    assert conversation.duration == len(sound) / SAMPLE_RATE
    for line, said in zip(script.lines, conversation.utterances, strict=True):
        start, end = round(said.start * SAMPLE_RATE), round(said.end * SAMPLE_RATE)
        assert np.array_equal(sound[start:end], read_audio(line.clip.path))
        assert (said.speaker, said.text) == (line.clip.speaker, line.clip.text)
        assert not sound[start - round(line.gap * SAMPLE_RATE) : start].any()


def test_the_speech_lies_in_its_utterance_and_is_most_of_it(script):
    _, conversation = join(script)
    for said in conversation.utterances:
        assert said.speech
        assert said.start <= said.speech[0].start
        assert said.speech[-1].end <= said.end
        assert all(right.start - left.end > 0.3 for left, right in pairwise(said.speech))
    speech = sum(turn.end - turn.start for turn in conversation.turns)
    assert 0.5 < speech / sum(said.end - said.start for said in conversation.utterances) < 0.95


def test_a_conversation_is_written_with_its_references(script, tmp_path):
    conversation = write(script, tmp_path)
    with wave.open(str(tmp_path / f"{script.name}.wav")) as wav:
        assert (wav.getframerate(), wav.getnchannels(), wav.getsampwidth()) == (16_000, 1, 2)
        assert wav.getnframes() / 16_000 == conversation.duration
    rttm = load_rttm(tmp_path / f"{script.name}.rttm")[script.name]
    assert set(rttm.labels()) == set(conversation.speakers)
    assert rttm.get_timeline().duration() == pytest.approx(sum(turn.end - turn.start for turn in conversation.turns), abs=0.1)
    seglst = json.loads((tmp_path / f"{script.name}.seglst.json").read_text())
    assert [segment["words"] for segment in seglst] == [said.text for said in conversation.utterances]
    assert json.loads((tmp_path / f"{script.name}.json").read_text())["duration"] == conversation.duration
    stm = (tmp_path / f"{script.name}.stm").read_text().splitlines()
    assert [line.split(maxsplit=5)[5] for line in stm] == [said.text for said in conversation.utterances]


def test_a_shorter_recording_is_the_beginning_of_a_longer_one(data_folder, tmp_path):
    clips = librispeech(data_folder)
    for minutes in (0.5, 1):
        long_recording(tmp_path / f"{minutes}.wav", minutes, clips)
    shorter, longer = (read_audio(tmp_path / f"{minutes}.wav") for minutes in (0.5, 1))
    assert len(longer) == 60 * SAMPLE_RATE
    assert np.array_equal(shorter, longer[: 30 * SAMPLE_RATE])


def test_short_clips_all_differ(data_folder):
    clips = short_clips(data_folder, 200)
    assert len({path.read_bytes() for path in clips}) == 200
    with pytest.raises(ValueError, match="are needed"):
        short_clips(data_folder, 10_000)


def test_without_data_a_benchmark_leaves_with_status_2(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("TRAX_DATA", str(tmp_path))
    with pytest.raises(SystemExit) as left:
        require_data()
    assert left.value.code == 2
    assert "TRAX_DATA" in capsys.readouterr().err
