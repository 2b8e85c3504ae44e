from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from trax.config import Settings, job_settings, settings_hash, snapshot
from trax.errors import ConfigError
from trax.settings_file import ADVICE_ON_KEYS, PRESETS, load_settings, settings_path
from trax.settings_keys import KEYS, SECTIONS
from trax.shipped import shipped

DEFAULTS = shipped("config/trax.yaml")


@pytest.fixture
def write(tmp_path: Path):
    def write(text: str) -> Path:
        path = tmp_path / "trax.yaml"
        path.write_text(text)
        return path

    return write


def problems(path: Path, environ=None, overrides=None) -> list[str]:
    """What is said of these settings, without the folder of the file."""
    with pytest.raises(ConfigError) as told:
        load_settings(path, environ or {}, overrides or {})
    return [problem.replace(f"{path.parent}/", "") for problem in told.value.problems]


class TestTheShippedFile:
    def test_says_the_defaults(self):
        assert load_settings(DEFAULTS, {}) == Settings()

    def test_says_the_defaults_where_it_is_silent_for_the_preset(self, write):
        whole = re.sub(r"^(\s*)#(\w+:)", r"\1\2", DEFAULTS.read_text(), flags=re.MULTILINE)
        assert load_settings(write(whole), {}) == Settings()
        plain = yaml.safe_load(whole)
        assert _names(plain) == set(KEYS)
        assert {name for name, value in plain.items() if isinstance(value, dict)} == SECTIONS

    def test_leaves_to_the_preset_what_a_preset_sets(self):
        silent = set(KEYS) - _names(yaml.safe_load(DEFAULTS.read_text()))
        assert silent == {name for preset in PRESETS.values() for name in preset}
        assert not load_settings(DEFAULTS, {"TRAX_VERSION": "v1"}).stages.diarize

    def test_names_the_variable_of_each_setting_just_above_it(self):
        lines = DEFAULTS.read_text().splitlines()
        section, said, found = "", [], {}
        for line in lines:
            setting = re.match(r"( *)#?(\w+):(.*)", line)
            if setting is None:
                said = [*said, line] if line.strip() else []
                continue
            indent, name, value = setting.groups()
            if not indent and not value.strip():
                section = name
            else:
                found[f"{section}.{name}" if indent else name] = re.findall(r"TRAX_[A-Z_]+", "\n".join(said))
            said = []
        assert {name: variables[-1:] for name, variables in found.items()} == {name: [key.variable] for name, key in KEYS.items()}


def _names(plain) -> set[str]:
    """The dotted names of what a parsed file sets."""
    inside = {f"{section}.{name}" for section, group in plain.items() if isinstance(group, dict) for name in group}
    return inside | {name for name, value in plain.items() if not isinstance(value, dict)}


class TestEnvironment:
    def test_no_two_settings_share_a_variable(self):
        variables = [key.variable for key in KEYS.values()]
        assert len(set(variables)) == len(variables)
        assert not {"TRAX_CONFIG", "TRAX_DATA"} & set(variables)

    def test_overrides_any_kind_of_setting(self, write):
        settings = load_settings(
            write("max_workers: 3\nasr: {language: de}\n"),
            {
                "TRAX_MAX_WORKERS": "5",
                "TRAX_MAX_MEMORY_GB": "12",
                "TRAX_ENABLE_QUANTIZATION": "false",
                "TRAX_ASR_LANGUAGE": "no",
                "TRAX_ASR_VOCABULARY": "New York, Trax",
                "TRAX_OUTPUT_FORMATS": "[json, txt]",
                "TRAX_DIARIZE_THRESHOLD": "0.5",
                "TRAX_RETENTION_ARCHIVE_DAYS": "null",
                "TRAX_SOCKET": "",
                "TRAX_INBOX": "to do: {all}",
                "TRAX_DATA": "/elsewhere",
                "HOME": "/",
            },
        )
        assert (settings.max_workers, settings.max_memory_gb, settings.enable_quantization) == (5, 12.0, False)
        assert (settings.asr.language, settings.asr.vocabulary) == ("no", ("New York", "Trax"))
        assert (settings.output.formats, settings.diarize.threshold) == (("json", "txt"), 0.5)
        assert (settings.retention.archive_days, settings.socket) == (None, None)
        assert settings.inbox == "to do: {all}"

    def test_every_setting_can_be_overridden_with_its_default(self, write):
        environ = {key.variable: _as_text(key.default) for key in KEYS.values()}
        assert load_settings(write(""), environ) == Settings()

    def test_a_name_that_is_no_setting_is_told(self, write):
        told = problems(write(""), {"TRAX_MAX_WORKER": "2", "TRAX_XYZZY": "1", "TRAX_OPENAI_API_KEY": "hush"})
        assert told == [
            "TRAX_MAX_WORKER: is not a setting; did you mean TRAX_MAX_WORKERS?",
            "TRAX_OPENAI_API_KEY: is not a setting; secrets are called OPENAI_API_KEY, DEEPSEEK_API_KEY and HUGGINGFACE_TOKEN",
            "TRAX_XYZZY: is not a setting",
        ]

    def test_a_bad_value_names_its_variable(self, write):
        environ = {"TRAX_MAX_WORKERS": "many", "TRAX_MAX_MEMORY_GB": "[", "TRAX_PARALLEL": "", "TRAX_OUTPUT_FORMATS": "srt"}
        assert sorted(problems(write("max_workers: 2"), environ)) == [
            "TRAX_MAX_MEMORY_GB: cannot be read: '['",
            "TRAX_MAX_WORKERS: needs a whole number, but is 'many'",
            "TRAX_OUTPUT_FORMATS: must have json among its entries: it is written last and says that the rest is complete",
            "TRAX_PARALLEL: has no value",
        ]


def _as_text(default) -> str:
    return ",".join(default) if isinstance(default, tuple) else {None: "null"}.get(default, str(default))


class TestOverrides:
    def test_win_over_everything(self, write):
        settings = load_settings(write("max_workers: 3"), {"TRAX_MAX_WORKERS": "5"}, {"max_workers": "7", "asr.language": "fr"})
        assert (settings.max_workers, settings.asr.language) == (7, "fr")

    def test_are_told_like_the_rest(self, write):
        assert problems(write(""), overrides={"asr.langage": "fr", "language": "fr", "diarize": "x", "accuracy_threshold": "2"}) == [
            "--set asr.langage: is not a setting; did you mean asr.language?",
            "--set language: is not a setting; did you mean asr.language?",
            "--set diarize: is a group of settings; did you mean diarize.model or another of them?",
            "--set accuracy_threshold: must be at most 1, but is 2",
        ]


class TestMistakes:
    def test_are_told_all_at_once_in_the_order_of_the_file(self, write):
        text = """\
max_worker: 3
max_memory_gb: lots
version: v2+
asr:
  language: 12
  fast_modle: x
  vocabulary: {a: b}
diarize:
  min_speakers: 4
  max_speakers: 2
  min_speakers: 2
openai_api_key: sk-hush
outbox: inbox/x
stages:
intake:
  formats: [.mp3, .exe]
  max_size_mb: -1
enhance: 4
domain: {auto_detect: yes}
log:
  level: trace
"""
        told = problems(write(text))
        here = Path.cwd()
        assert told == [
            "trax.yaml:1: max_worker: is not a setting; did you mean max_workers?",
            "trax.yaml:2: max_memory_gb: needs a number, but is 'lots'",
            "trax.yaml:3: version v2+: stages.enhance: enhancement is not built yet; set stages.enhance to false",
            "trax.yaml:5: asr.language: must be a language code such as en or de, or auto",
            "trax.yaml:6: asr.fast_modle: is not a setting; did you mean asr.fast_model?",
            "trax.yaml:7: asr.vocabulary: needs a list of texts, such as [one, two]",
            "trax.yaml:9: diarize.min_speakers: 4 is above diarize.max_speakers, which is 2",
            "trax.yaml:11: diarize.min_speakers: is set twice; first in line 9",
            f"trax.yaml:12: openai_api_key: {ADVICE_ON_KEYS}",
            f"trax.yaml:13: outbox: {here}/inbox/x is inside the inbox folder, {here}/inbox; keep them apart",
            "trax.yaml:16: intake.formats: has '.exe', which is not one of .mp3 .mp4 .wav .m4a .webm .flac .ogg .opus .mkv .mov .aac",
            "trax.yaml:17: intake.max_size_mb: must be more than 0, but is -1",
            "trax.yaml:18: enhance: needs settings below it, as `name: value`",
            "trax.yaml:19: domain.auto_detect: knowledge of domains is not built yet; set domain.auto_detect to false",
            "trax.yaml:21: log.level: must be 'DEBUG', 'INFO', 'WARNING' or 'ERROR', but is 'trace'",
        ]
        assert "hush" not in "".join(told)

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("a: [", "trax.yaml:1: this is not YAML: "),
            ("root: x\n\tinbox: y\n", "trax.yaml:2: this is not YAML: "),
            ("- one\n- two\n", "trax.yaml:1: needs settings below it, as `name: value`"),
            ("root: a\n---\nroot: b\n", "trax.yaml:2: this is not YAML: but found another document"),
            ("root: a\x01b", "trax.yaml:1: this is not YAML: unacceptable character"),
            ("max_workers:\n", "trax.yaml:1: max_workers: has no value"),
            ("max_workers: '2'\n", "trax.yaml:1: max_workers: needs a whole number, but is '2'"),
            ("max_workers: 2.5\n", "trax.yaml:1: max_workers: needs a whole number, but is 2.5"),
            ("max_workers: [2]\n", "trax.yaml:1: max_workers: needs one value, not a list or a group"),
            ("max_memory_gb: .inf\n", "trax.yaml:1: max_memory_gb: needs a finite number, but is inf"),
            ("max_memory_gb: 2026-13-77\n", "trax.yaml:1: max_memory_gb: cannot be read: '2026-13-77'"),
            ("parallel: 1\n", "trax.yaml:1: parallel: needs true or false, but is 1"),
            ("root: {}\n", "trax.yaml:1: root: needs text, not a list or a group"),
            ("root: ''\n", "trax.yaml:1: root: must be the path of a folder"),
            ("root: !!python/name:os.system x\n", "trax.yaml:1: root: has the tag tag:yaml.org,2002:python/name:os.system, which "),
            ("root: ~nobody-here/trax\n", "trax.yaml:1: root: begins with ~nobody-here, but there is no such home folder"),
            ("root: !env x\n", "trax.yaml:1: root: has the tag !env, which Trax does not read"),
            ("? [a]\n: b\n", "trax.yaml:1: ?: is not a setting"),
            ("stages: {refine: maybe}\n", "trax.yaml:1: stages.refine: must be true, false or 'auto', but is 'maybe'"),
            ("stages: {transcribe: false}\n", "trax.yaml:1: stages.transcribe: cannot be turned off"),
            ("output: {formats: [json, srt, srt]}\n", "trax.yaml:1: output.formats: lists srt more than once"),
            ("output: {formats: []}\n", "trax.yaml:1: output.formats: needs at least one entry"),
            ("output: {formats: [json, pdf]}\n", "trax.yaml:1: output.formats: must be 'json', 'srt', "),
            ("enhance: {base_url: 'https://me:hush@x.org'}\n", "trax.yaml:1: enhance.base_url: must be an http(s) address without a user"),
            ("diarization: {max_speakers: 2}\n", "trax.yaml:1: diarization: is not a setting; did you mean diarize?"),
            ("retries: {first_delay_seconds: 9, max_delay_seconds: 8}\n", "trax.yaml:1: retries.first_delay_seconds: 9 is above "),
            ("diarize: {max_speakers: 3}\ndiarize: {min_speakers: 2}\n", "trax.yaml:2: diarize: is set twice; first in line 1"),
        ],
    )
    def test_name_file_line_and_key(self, write, text, told):
        (found,) = problems(write(text))
        assert found.startswith(told)

    def test_a_file_that_cannot_be_read(self, tmp_path):
        assert problems(tmp_path / "none.yaml") == ["The file cannot be read: No such file or directory."]
        assert problems(tmp_path) == ["The file cannot be read: Is a directory."]
        (tmp_path / "latin.yaml").write_bytes(b"root: caf\xe9\n")
        assert problems(tmp_path / "latin.yaml") == ["The file is not UTF-8 text (byte 9)."]

    @pytest.mark.parametrize(
        "folders",
        ["inbox: a\noutbox: a", "outbox: inbox/o", "inbox: outbox/i", "state: inbox/.s", "inbox: .", "inbox: x/../outbox"],
    )
    def test_folders_are_kept_apart(self, write, folders):
        assert all("keep them apart" in problem for problem in problems(write(folders)))

    def test_folders_are_kept_apart_behind_links_too(self, write, tmp_path):
        (tmp_path / "real").mkdir()
        (tmp_path / "outbox").symlink_to(tmp_path / "real")
        told = problems(write(f"root: {tmp_path}\ninbox: real\n"))
        assert told == [f"trax.yaml:2: inbox: {tmp_path}/real is the outbox folder too; keep them apart".replace(f"{tmp_path}/", "")]

    @given(st.text(max_size=200))
    def test_no_text_brings_anything_but_settings_or_a_list_of_problems(self, tmp_path_factory, text):
        path = tmp_path_factory.getbasetemp() / "any.yaml"
        path.write_bytes(text.encode("utf-8", errors="surrogatepass"))
        assert _settings_or_problems(path)

    @given(st.dictionaries(st.sampled_from(sorted(KEYS)), st.text(alphabet="0123456789.-[]{}:, #&*!|>'\"%@`truefalsn~\n", max_size=12)))
    def test_no_override_brings_anything_but_settings_or_problems_that_name_it(self, overrides):
        found = _settings_or_problems(DEFAULTS, overrides)
        if not isinstance(found, Settings):
            assert all(any(name in problem for name in overrides) for problem in found)


def _settings_or_problems(path: Path, overrides=None) -> Settings | tuple[str, ...]:
    try:
        return load_settings(path, {}, overrides or {})
    except ConfigError as error:
        return error.problems


class TestVersion:
    def test_v1_is_one_pass_without_speakers(self, write):
        stages = load_settings(write("version: v1\n"), {}).stages
        assert (stages.refine, stages.diarize, stages.enhance) == (False, False, False)

    def test_v2_is_two_passes_without_speakers(self, write):
        stages = load_settings(write("version: v2\n"), {}).stages
        assert (stages.refine, stages.diarize, stages.enhance) == (True, False, False)

    @pytest.mark.parametrize(("text", "value"), [("true", True), ("false", False), ("auto", "auto")])
    def test_a_second_pass_is_asked_for_left_out_or_left_to_what_is_installed(self, write, text, value):
        assert load_settings(write(f"stages: {{refine: {text}}}\n"), {}).stages.refine == value
        assert load_settings(write(""), {"TRAX_STAGES_REFINE": text}).stages.refine == value

    def test_explicit_keys_win(self, write):
        stages = load_settings(write("version: v2+\nstages: {refine: false, enhance: false}\n"), {}).stages
        assert (stages.refine, stages.diarize, stages.enhance) == (False, True, False)

    def test_what_is_not_built_is_refused_by_the_name_of_what_asks_for_it(self, write):
        assert problems(write(""), {"TRAX_VERSION": "v2+"}) == [
            "TRAX_VERSION v2+: stages.enhance: enhancement is not built yet; set stages.enhance to false",
        ]

    @pytest.mark.parametrize(
        ("key", "value", "told"),
        [
            ("enhance.model", "gpt", 'enhancement is not built yet; set enhance.model to "deepseek-chat"'),
            ("enhance.base_url", "http://here", 'enhancement is not built yet; set enhance.base_url to "https://api.deepseek.com"'),
            ("enhance.system_prompt", "Mend.", 'enhancement is not built yet; set enhance.system_prompt to ""'),
            ("enhance.user_prompt", "This: {text}", 'enhancement is not built yet; set enhance.user_prompt to ""'),
            ("domain.name", "medical", 'knowledge of domains is not built yet; set domain.name to "general"'),
        ],
    )
    def test_a_wish_that_no_stage_would_hear_is_refused(self, write, key, value, told):
        assert problems(write(""), overrides={key: value}) == [f"--set {key}: {told}"]

    def test_none_is_the_defaults(self, write):
        assert load_settings(write("version: null\n"), {}) == Settings()


class TestWhichFile:
    def test_the_argument_then_the_variable(self, tmp_path):
        assert settings_path(tmp_path / "a", {"TRAX_CONFIG": "b"}) == tmp_path / "a"
        assert settings_path(None, {"TRAX_CONFIG": "b"}) == Path("b")

    def test_a_variable_that_leads_nowhere_is_an_error(self):
        with pytest.raises(ConfigError, match="cannot be read"):
            load_settings(None, {"TRAX_CONFIG": "/nowhere/trax.yaml"})


class TestPaths:
    def test_count_from_the_root(self, write, tmp_path):
        settings = load_settings(write(f"root: {tmp_path}/house\nstate: /var/elsewhere\nsocket: run/s\n"), {})
        assert settings.inbox_folder == tmp_path / "house/inbox"
        assert settings.state_folder == Path("/var/elsewhere")
        assert settings.socket_path == tmp_path / "house/run/s"
        assert load_settings(write(f"root: {tmp_path}"), {}).socket_path == tmp_path / "state/traxd.sock"


class TestSnapshot:
    def test_comes_back_as_it_was(self):
        plain = snapshot(Settings())
        assert snapshot(Settings()) == job_settings(plain).model_dump(mode="json")

    def test_its_hash_follows_what_decides_a_result_and_nothing_else(self, write):
        base = settings_hash(snapshot(Settings()))
        assert base == settings_hash(snapshot(load_settings(write("max_workers: 7\nroot: /elsewhere"), {})))
        assert base != settings_hash(snapshot(load_settings(write("asr: {language: de}"), {})))
