from __future__ import annotations

import copy
import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trax.config import Settings, snapshot
from trax.pipeline.stages import (
    CLUSTER,
    DECODE,
    EMBED,
    LARGE,
    NAME,
    PLAN,
    REFINE,
    SEGMENT,
    STAGES,
    TRANSCRIBE,
    VAD,
    VOICES,
    Lane,
    Stage,
    model_identity,
    overall_progress,
    setting,
    stages_for,
    stages_with,
    stamp,
    still_to_run,
)

MODELS = {
    "asr": {"name": "base", "sha256": "aa", "version": "1", "path": "/here/base.bin", "settings": {}},
    "refine": {"name": "large", "sha256": "cc", "version": "1", "path": "/here/large.bin", "settings": {}},
    "vad": {"name": "silero", "sha256": None, "version": "5", "path": None, "settings": {}},
    "segmentation": {"name": "pyannet", "sha256": "dd", "version": "1", "path": "/here/pyannet.bin", "settings": {}},
    "embedding": {"name": "ge2e", "sha256": "bb", "version": "1", "path": "/here/ge2e.onnx", "settings": {"threshold": 0.35}},
}
SNAPSHOT = snapshot(Settings())


def stamps(settings: dict[str, Any] = SNAPSHOT, plan: dict[str, Any] = MODELS, recording: str = "ff", voices: str = "") -> dict[str, str]:
    """The stamp of every stage's artefact, by stage."""
    by_artefact = {VOICES: voices}
    for stage in STAGES:
        by_artefact[stage.makes] = stamp(stage, recording=recording, settings=settings, plan=plan, inputs=by_artefact)
    return {stage.name: by_artefact[stage.makes] for stage in STAGES}


def changed(**other: Any) -> set[str]:
    """The stages whose stamp is another with these arguments."""
    before, after = stamps(), stamps(**other)
    return {name for name in before if before[name] != after[name]}


def leaves(tree: dict[str, Any], before: str = "") -> list[str]:
    found: list[str] = []
    for key, value in tree.items():
        found += leaves(value, f"{before}{key}.") if isinstance(value, dict) else [before + key]
    return found


def with_setting(key: str, value: Any) -> dict[str, Any]:
    settings = copy.deepcopy(SNAPSHOT)
    *way, last = key.split(".")
    inner = settings
    for part in way:
        inner = inner[part]
    inner[last] = value
    return settings


def followers(*stages: Stage) -> set[str]:
    """These stages and all that directly or indirectly need what they make."""
    names, made = {stage.name for stage in stages}, {stage.makes for stage in stages}
    for stage in STAGES:
        if made & set(stage.needs):
            names.add(stage.name)
            made.add(stage.makes)
    return names


# -- the list


def test_every_stage_comes_after_what_it_needs():
    made = {VOICES}
    for stage in STAGES:
        assert set(stage.needs) <= made
        made.add(stage.makes)


def test_without_diarization_nothing_of_it_runs_and_nothing_else_is_missing():
    stages = stages_for(with_setting("stages.diarize", value=False))
    assert [stage.name for stage in stages] == ["plan", "decode", "vad", "transcribe", "refine"]
    assert stages_for(SNAPSHOT) == tuple(stage for stage in STAGES if stage != NAME)


def test_speakers_are_named_where_that_is_asked_for_and_by_those_who_are_enrolled():
    assert stages_for(with_setting("diarize.profiles", value=True)) == STAGES
    assert changed(voices="others") == {"name"}


@pytest.mark.parametrize(
    ("asked", "has_model", "is_run"), [(True, True, True), ("auto", True, True), (True, False, False), (False, True, False)]
)
def test_what_is_heard_is_heard_again_where_that_is_asked_for_and_there_is_a_model_for_it(asked, has_model, is_run):
    plan = MODELS if has_model else MODELS | {"refine": None}
    assert (REFINE in stages_with(plan, stages_for(with_setting("stages.refine", asked)))) == is_run
    assert [stage for stage in stages_with(plan, STAGES) if stage != REFINE] == [stage for stage in STAGES if stage != REFINE]


def test_what_hears_several_at_once_is_needed_only_where_there_is_such_a_model():
    assert stages_with(MODELS, STAGES) == STAGES
    without = stages_with(MODELS | {"segmentation": None}, STAGES)
    assert without == tuple(stage for stage in STAGES if stage != SEGMENT)
    assert all(SEGMENT.makes not in stage.needs for stage in without)
    assert {stage for stage in STAGES if SEGMENT.makes in stage.needs} == {EMBED, CLUSTER}


def test_every_setting_a_stage_names_exists():
    for stage in STAGES:
        for key in stage.settings:
            setting(SNAPSHOT, key)


def test_a_snapshot_from_before_a_key_was_known_has_its_default():
    former = {name: value for name, value in SNAPSHOT.items() if name != "audio"}
    former["asr"] = {name: value for name, value in SNAPSHOT["asr"].items() if name != "refine_threshold"}
    assert setting(former, "audio.noise_reduction") is False
    assert setting(former, "asr.refine_threshold") == Settings().asr.refine_threshold
    assert changed(settings=former) == set()


# -- stamps


@pytest.mark.parametrize("key", leaves(SNAPSHOT))
def test_a_setting_changes_the_stamps_of_the_stages_that_name_it_and_of_those_after_them_and_no_other(key):
    named = [stage for stage in STAGES if key in stage.settings]
    assert changed(settings=with_setting(key, "something else")) == (followers(*named) if named else set())


def test_what_decides_each_stage_by_its_settings():
    assert changed(settings=with_setting("diarize.max_speakers", 3)) == {"cluster", "name"}
    assert changed(settings=with_setting("asr.vocabulary", ["Trax"])) == {"transcribe", "refine"}
    assert changed(settings=with_setting("asr.refine_threshold", 0.9)) == {"refine"}, "the first pass hears the same"
    assert changed(settings=with_setting("asr.fast_model", "base")) == {"plan"}, "what it makes of the plan counts, not why"
    assert changed(settings=with_setting("audio.noise_reduction", value=True)) == followers(DECODE), "voices are told apart by what is left"
    assert changed(settings=with_setting("accuracy_threshold", 0.1)) == changed(settings=with_setting("confidence_threshold", 0.9)) == set()


@pytest.mark.parametrize(
    ("role", "stages"),
    [("asr", [TRANSCRIBE]), ("refine", [REFINE]), ("segmentation", [SEGMENT]), ("embedding", [EMBED, CLUSTER, NAME]), ("vad", [VAD])],
)
@pytest.mark.parametrize("key", ["name", "sha256", "version", "settings"])
def test_another_model_changes_what_it_makes(role, stages, key):
    other = MODELS | {role: MODELS[role] | {key: "other"}}
    assert changed(plan=other) == followers(*stages)


def test_a_model_that_was_moved_is_the_same():
    moved = {role: model | {"path": "/elsewhere/" + model["name"]} for role, model in MODELS.items()}
    assert changed(plan=moved) == set()


def test_so_is_one_that_was_pulled_from_another_place():
    came = {"from": "/home/anna/models", "files": {"base.bin": "cc"}, "pinned": []}
    pulled = {role: model | {"pulled": came} for role, model in MODELS.items()}
    assert changed(plan=pulled) == set()
    assert all("pulled" not in model_identity(model) for model in pulled.values())


def test_another_recording_changes_every_stamp():
    assert changed(recording="ee") == {stage.name for stage in STAGES}


def test_a_new_version_of_an_algorithm_changes_its_stamp():
    newer = Stage(**{name: getattr(VAD, name) for name in Stage.__slots__} | {"version": VAD.version + 1})
    arguments: dict[str, Any] = {"recording": "ff", "settings": SNAPSHOT, "plan": MODELS, "inputs": {"pcm": "1"}}
    assert stamp(newer, **arguments) != stamp(VAD, **arguments)


# -- what still has to run


ARTEFACTS = [stage.makes for stage in STAGES]


def allowed(chosen: frozenset[Stage], valid: set[str], kept: set[str], wanted: set[str]) -> bool:
    """Whether running just these stages makes all wanted artefacts valid, each stage having its inputs there."""
    makes = {stage.makes for stage in chosen}
    if not all(artefact in valid or artefact in makes for artefact in wanted):
        return False
    return all(need in {*makes, VOICES} or (need in valid and need in kept) for stage in chosen for need in stage.needs)


@given(
    valid=st.sets(st.sampled_from(ARTEFACTS)),
    kept=st.sets(st.sampled_from(ARTEFACTS)),
    wanted=st.sets(st.sampled_from(ARTEFACTS)),
)
def test_what_has_to_run_is_the_smallest_set_of_stages_that_will_do(valid, kept, wanted):
    subsets = [frozenset(some) for count in range(len(STAGES) + 1) for some in itertools.combinations(STAGES, count)]
    enough = [chosen for chosen in subsets if allowed(chosen, valid, kept, wanted)]
    smallest = min(enough, key=len)
    assert sum(len(chosen) == len(smallest) for chosen in enough) == 1, "there is one answer"
    assert still_to_run(STAGES, valid, kept, wanted) == tuple(stage for stage in STAGES if stage in smallest)


def test_the_pcm_is_made_again_only_for_a_stage_that_reads_it():
    everything = set(ARTEFACTS)
    without_pcm = everything - LARGE
    assert still_to_run(STAGES, everything, without_pcm, everything) == ()
    assert still_to_run(STAGES, everything - {"turns"}, without_pcm, everything) == (CLUSTER,)
    assert still_to_run(STAGES, everything - {"fast"}, without_pcm, everything) == (DECODE, TRANSCRIBE)


def test_no_stage_but_the_decoder_makes_something_too_large_to_keep():
    assert {stage.makes for stage in STAGES if stage.lane is Lane.DECODE} == LARGE
    assert PLAN.file is None


# -- progress


@given(st.lists(st.tuples(st.sampled_from([stage.name for stage in STAGES]), st.floats(0, 1)), max_size=40))
def test_progress_stays_within_0_and_1_and_never_falls_while_stages_advance(steps):
    fractions = {stage.name: 0.0 for stage in STAGES}
    before = overall_progress(STAGES, fractions)
    assert before == 0.0
    for name, fraction in steps:
        fractions[name] = max(fractions[name], fraction)
        now = overall_progress(STAGES, fractions)
        assert before <= now <= 1.0
        before = now
    assert overall_progress(STAGES, {}) == 1.0
    assert overall_progress((), {}) == 1.0
