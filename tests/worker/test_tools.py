import json
import subprocess
import sys

import pytest

from trax.config import Settings, snapshot
from trax.worker.facts import cpu_facts


def run(*arguments):
    """The tools as trax-ctl starts them: exit code, the document on stdout, and stderr."""
    done = subprocess.run([sys.executable, "-m", "trax.worker.tools", *map(str, arguments)], capture_output=True, text=True, check=False)
    return done.returncode, json.loads(done.stdout) if done.stdout else None, done.stderr


def test_the_models_are_listed_beside_the_catalogue(tmp_path):
    code, answer, _ = run("models", "list", "--state", tmp_path, "--json")
    assert code == 0
    assert {"pocketsphinx-en-us", "silero-vad"} <= {model["name"] for model in answer["models"]}
    assert "small.en" in {entry["name"] for entry in answer["catalogue"]}
    assert answer["findings"] == []
    assert {"fast": "distil-small.en", "refine": "distil-large-v3", "default": True} in answer["pairs"]
    assert answer["chosen"] == {}


def test_the_list_tells_what_a_job_would_use(tmp_path):
    words = {**snapshot(Settings()), "stages": {"diarize": False}}
    assert run("models", "list", json.dumps(words), "--state", tmp_path)[1]["chosen"] == {"asr": "pocketsphinx-en-us", "vad": "silero-vad"}
    no_such = {**words, "asr": {"fast_model": "huge"}}
    assert run("models", "list", json.dumps(no_such), "--state", tmp_path)[1]["chosen"] == {}


def test_a_model_is_added_listed_verified_and_found_damaged(tmp_path, write_ggml):
    told = ("--scope", "digits", "--languages", "en", "--window", "6")
    code, answer, _ = run("models", "add", write_ggml(), "--state", tmp_path, *told)
    assert code == 0
    assert (answer["added"]["name"], answer["added"]["scope"]) == ("own", "digits")
    assert answer["added"]["settings"]["window_seconds"] == 6

    _, answer, _ = run("models", "list", "--state", tmp_path)
    assert "own" in {model["name"] for model in answer["models"]}

    _, answer, _ = run("models", "verify", "--state", tmp_path)
    assert "own" in answer["verified"]

    model = tmp_path / "models" / "own" / "model.bin"
    model.write_bytes(model.read_bytes()[:-1] + b"x")
    code, answer, _ = run("models", "verify", "--state", tmp_path)
    assert code == 1
    assert "own" not in answer["verified"]
    assert "own" in {finding["model"] for finding in answer["findings"]}


def test_a_threshold_is_learnt_from_meetings_and_what_came_with_trax_stays_as_it_is(tmp_path, data_folder):
    meetings = tmp_path / "meetings"
    meetings.mkdir()
    for ending in (".wav", ".rttm"):
        (meetings / f"dev00{ending}").symlink_to(data_folder / "ami" / f"dev00{ending}")
    (meetings / "notes.txt").write_text("no recording")
    state = tmp_path / "state"
    code, found, complaints = run("models", "calibrate", "--quiet", "--state", state, "ge2e", meetings)
    assert (code, complaints) == (0, "")
    assert (found["model"], found["recordings"], found["kept"]) == ("ge2e", 1, False)
    assert 0.1 <= found["threshold"] <= 0.8
    assert min(found["confusion"].values()) < found["confusion"]["0.8"]
    assert not list(state.rglob("*.pcm"))


def test_without_references_nothing_is_learnt(tmp_path):
    for name, what in (("ge2e", "no recording with a .rttm"), ("silero-vad", "no installed model of voices")):
        code, answer, _ = run("models", "calibrate", "--state", tmp_path / "state", name, tmp_path)
        assert code == 1
        assert what in answer["error"]["what"]


def test_an_error_is_a_document_too(tmp_path):
    code, answer, _ = run("models", "add", tmp_path / "none.bin", "--state", tmp_path)
    assert code == 1
    assert answer["error"]["code"] == "model"
    assert answer["error"]["file"] == str(tmp_path / "none.bin")


@pytest.mark.parametrize("arguments", [(), ("models",), ("models", "add"), ("models", "lsit"), ("doctor", "--colour")])
def test_wrong_usage_says_so_on_stderr_alone(arguments):
    code, answer, stderr = run(*arguments)
    assert code == 2
    assert answer is None
    assert "usage:" in stderr


def test_the_doctor_loads_what_is_built_in(tmp_path):
    code, answer, _ = run("doctor", "--state", tmp_path)
    assert code == 0
    assert {library["name"]: library["problem"] for library in answer["libraries"]} == dict.fromkeys(
        ("av", "numpy", "onnxruntime", "pocketsphinx", "pywhispercpp")
    )
    assert all(library["version"] for library in answer["libraries"])
    assert set(answer["defences"]) == {"landlock", "seccomp"}
    problems = {model["name"]: model["problem"] for model in answer["models"]}
    assert problems["pocketsphinx-en-us"] is None
    assert problems["silero-vad"] is None
    assert answer["cpu"]["usable_cores"] >= 1


def test_the_doctor_tells_of_a_model_that_does_not_load(tmp_path, write_ggml):
    run("models", "add", write_ggml(), "--state", tmp_path)
    model = tmp_path / "models" / "own" / "model.bin"
    model.write_bytes(model.read_bytes().replace(b"decoder.ln.weight", b"decoder.ln.wait!!"))
    code, answer, _ = run("doctor", "--state", tmp_path)
    assert code == 0
    (problem,) = [model["problem"] for model in answer["models"] if model["name"] == "own"]
    assert problem


X86 = "processor\t: 0\nmodel name\t: A CPU\nflags\t\t: fpu avx avx2 f16c\n\nprocessor\t: 1\nmodel name\t: A CPU\nflags\t\t: fpu avx512f\n"


def test_the_processor_is_read_from_cpuinfo():
    assert cpu_facts(X86, 2) == {"name": "A CPU", "usable_cores": 2, "features": ["avx", "avx2", "f16c"], "avx2": True, "avx512": False}
    assert cpu_facts("Features\t: fp asimd asimddp\n", 4)["features"] == ["asimd", "asimddp"]
    assert cpu_facts("", 1) == {"name": "unknown", "usable_cores": 1, "features": [], "avx2": False, "avx512": False}
