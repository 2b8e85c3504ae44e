from __future__ import annotations

import pytest

from trax import secrets
from trax.errors import ConfigError

HUSH = "sk-hush-0123456789"


def test_the_environment_comes_before_a_credential(tmp_path):
    (tmp_path / "OPENAI_API_KEY").write_text("from-systemd\n")
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert secrets.require("OPENAI_API_KEY", "x", environ).get_secret_value() == "from-systemd"
    assert secrets.require("OPENAI_API_KEY", "x", {**environ, "OPENAI_API_KEY": f" {HUSH}\n"}).get_secret_value() == HUSH


def test_is_never_shown():
    secret = secrets.find("OPENAI_API_KEY", {"OPENAI_API_KEY": HUSH})
    assert HUSH not in f"{secret} {secret!r} {secret!s} {[secret]} %s {{'key': {secret}}}" % secret


def test_what_nobody_asks_for_is_not_missed(tmp_path):
    assert secrets.find("HUGGINGFACE_TOKEN", {}) is None
    assert secrets.find("HUGGINGFACE_TOKEN", {"CREDENTIALS_DIRECTORY": str(tmp_path)}) is None
    assert secrets.find("HUGGINGFACE_TOKEN", {"HUGGINGFACE_TOKEN": "  "}) is None


def test_what_a_feature_needs_is_asked_for_by_name():
    with pytest.raises(ConfigError) as told:
        secrets.require("DEEPSEEK_API_KEY", "Enhancement with deepseek-chat", {})
    (problem,) = told.value.problems
    assert problem.startswith("Enhancement with deepseek-chat needs DEEPSEEK_API_KEY: set it in the environment, or ")


@pytest.mark.parametrize("bad", [f"{HUSH}\nHost: evil", f"{HUSH} two", f"{HUSH}é", HUSH * 400, f"{HUSH}\0"])
def test_one_that_cannot_be_a_key_is_refused_without_being_shown(tmp_path, bad):
    (tmp_path / "OPENAI_API_KEY").write_text(bad)
    with pytest.raises(ConfigError) as told:
        secrets.find("OPENAI_API_KEY", {"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert HUSH not in str(told.value)


def test_a_credential_that_cannot_be_read_is_told(tmp_path):
    (tmp_path / "OPENAI_API_KEY").mkdir()
    with pytest.raises(ConfigError, match="OPENAI_API_KEY cannot be read: Is a directory"):
        secrets.find("OPENAI_API_KEY", {"CREDENTIALS_DIRECTORY": str(tmp_path)})
