"""YAML, presets and the environment → one `Settings`; every mistake is told at once, with its place.

Later layers win: the defaults, the preset that `version` names, the YAML file, `TRAX_*` variables, overrides from a command line.
The file is read as a tree of YAML nodes, not as values: nodes know their lines, and a text setting takes what is written
(`language: no` is Norwegian, not false).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import yaml
from pydantic import ValidationError

from trax.config import Conflict, Settings, folder_conflicts
from trax.errors import ConfigError
from trax.settings_keys import KEYS, SECTIONS, Key
from trax.settings_words import in_words
from trax.shipped import shipped

SYSTEM_FILE = Path("/etc/trax/trax.yaml")

#: What each `version` stands for; a key that is set wins over it.
PRESETS: Mapping[str, Mapping[str, bool]] = {
    "v1": {"stages.refine": False, "stages.diarize": False, "stages.enhance": False},
    "v2": {"stages.refine": True, "stages.diarize": False, "stages.enhance": False},
    "v2+": {"stages.refine": True, "stages.diarize": True, "stages.enhance": True},
}

_NOT_SETTINGS = frozenset({"TRAX_CONFIG", "TRAX_DATA"})  # where the settings are; where the tests' speech data is
_SECRETIVE = re.compile(r"(api_?key|secret|token|passw|credential)", re.IGNORECASE)
ADVICE_ON_KEYS = (
    "looks like a secret, which has no place here; put OPENAI_API_KEY, DEEPSEEK_API_KEY or HUGGINGFACE_TOKEN "
    "in the environment or a systemd credential"
)
_TAG = "tag:yaml.org,2002:"
_TAGS = frozenset(_TAG + kind for kind in ("null", "bool", "int", "float", "str", "timestamp", "merge", "value", "seq", "map"))


def settings_path(path: Path | None = None, environ: Mapping[str, str] = os.environ) -> Path:
    """The file that `load_settings` reads: the one given, else $TRAX_CONFIG, else the system's, else the one that ships with Trax."""
    if path is not None:
        return path
    if named := environ.get("TRAX_CONFIG"):
        return Path(named)
    return SYSTEM_FILE if SYSTEM_FILE.exists() else shipped("config/trax.yaml")


def load_settings(
    path: Path | None = None,
    environ: Mapping[str, str] = os.environ,
    overrides: Mapping[str, str] = MappingProxyType({}),
) -> Settings:
    """Read the settings. `overrides` are dotted keys with values as text, such as {"asr.language": "de"}.

    Raises:
        ConfigError: with every mistake that was found, each naming its file and line, its variable or its override.
    """
    file = settings_path(path, environ)
    reading = _Reading()
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError([f"The file cannot be read: {error.strerror}."], file=str(file)) from error
    except UnicodeDecodeError as error:
        raise ConfigError([f"The file is not UTF-8 text (byte {error.start})."], file=str(file)) from error
    reading.take_file(str(file), text)
    reading.take_environment(environ)
    reading.take_overrides(overrides)
    reading.take_preset()
    settings = reading.validated()
    if settings is None:
        raise ConfigError(reading.in_order(), file=str(file))
    return settings


class _Origin(NamedTuple):
    """Where a value was written: its prefix in a problem, and the line to sort by."""

    where: str
    line: float = float("inf")


@dataclass
class _Reading:
    """What has been read so far, by dotted key."""

    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, _Origin] = field(default_factory=dict)
    problems: list[tuple[float, str]] = field(default_factory=list)

    def tell(self, origin: _Origin, words: str) -> None:
        self.problems.append((origin.line, f"{origin.where}: {words}"))

    def in_order(self) -> list[str]:
        return [words for _, words in sorted(self.problems, key=lambda problem: problem[0])]

    def take(self, key: Key, node: yaml.Node, origin: _Origin) -> None:
        self.origins[key.name] = origin
        self.values.pop(key.name, None)  # a bad override must not hide behind the value it replaces
        try:
            self.values[key.name] = _value(key, node)
        except ValueError as error:
            self.tell(origin, str(error))

    def take_file(self, file: str, text: str) -> None:
        try:
            top = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = mark.line + 1 if mark else 1
            self.tell(_Origin(f"{file}:{line}", line), f"this is not YAML: {error.problem or error.context}")
        except yaml.YAMLError as error:
            self.tell(_Origin(f"{file}:1", 1), f"this is not YAML: {str(error).splitlines()[0]}")
        except RecursionError:
            self.tell(_Origin(f"{file}:1", 1), "this is nested far too deep for settings")
        else:
            self.take_group(file, top, "")

    def take_group(self, file: str, group: yaml.Node | None, section: str) -> None:
        """Take a mapping: the whole file (`section` is "") or one section of it."""
        if group is None or _is_null(group):
            return
        line = group.start_mark.line + 1
        if not isinstance(group, yaml.MappingNode):
            where = f"{file}:{line}: {section}" if section else f"{file}:{line}"
            self.tell(_Origin(where, line), "needs settings below it, as `name: value`")
            return
        seen: dict[str, int] = {}
        for name_node, node in group.value:
            line = name_node.start_mark.line + 1
            name = name_node.value if isinstance(name_node, yaml.ScalarNode) else "?"
            dotted = f"{section}.{name}" if section else name
            origin = _Origin(f"{file}:{line}: {dotted}", line)
            if name in seen:
                self.tell(origin, f"is set twice; first in line {seen[name]}")
                continue
            seen[name] = line
            if dotted in SECTIONS:
                self.take_group(file, node, dotted)
            elif dotted in KEYS:
                self.take(KEYS[dotted], node, origin)
            else:
                self.tell(origin, _unknown(dotted))

    def take_environment(self, environ: Mapping[str, str]) -> None:
        by_variable = {key.variable: key for key in KEYS.values()}
        for variable in sorted(environ):
            if not variable.startswith("TRAX_") or variable in _NOT_SETTINGS:
                continue
            origin = _Origin(variable)
            if variable in by_variable:
                self.take_text(by_variable[variable], environ[variable], origin)
            elif _SECRETIVE.search(variable):
                self.tell(origin, "is not a setting; secrets are called OPENAI_API_KEY, DEEPSEEK_API_KEY and HUGGINGFACE_TOKEN")
            else:
                names = (known.removeprefix("TRAX_") for known in by_variable)  # what they all share must not make them alike
                close = get_close_matches(variable.removeprefix("TRAX_"), list(names), n=1)
                self.tell(origin, "is not a setting" + (f"; did you mean TRAX_{close[0]}?" if close else ""))

    def take_overrides(self, overrides: Mapping[str, str]) -> None:
        for name, text in overrides.items():
            origin = _Origin(f"--set {name}")
            if name in KEYS:
                self.take_text(KEYS[name], text, origin)
            else:
                self.tell(origin, _unknown(name))

    def take_text(self, key: Key, text: str, origin: _Origin) -> None:
        """Take a value from outside YAML: text as it is, entries of a list between commas, anything else as YAML would read it."""
        try:
            self.take(key, _node(key, text), origin)
        except yaml.YAMLError:
            self.tell(origin, f"cannot be read: {text[:60]!r}")

    def take_preset(self) -> None:
        version = self.values.get("version")
        for name, value in PRESETS.get(version, {}).items() if isinstance(version, str) else ():
            if name not in self.origins:
                origin = self.origins["version"]
                self.values[name] = value
                self.origins[name] = origin._replace(where=f"{origin.where} {version}: {name}")

    def validated(self) -> Settings | None:
        """The settings, or None with the problems told. What is wrong is left out and the rest tried again: nothing hides behind it."""
        values, bad = dict(self.values), {name for name in self.origins if name not in self.values}
        while True:
            try:
                settings = Settings.model_validate(_nested(values))
            except ValidationError as error:
                details = error.errors(include_url=False)
                if details[0]["type"] == "conflicts":
                    self.tell_conflicts(details[0]["ctx"]["conflicts"], bad)
                    return None
                for detail in details:
                    name = ".".join(str(part) for part in detail["loc"][: 2 if detail["loc"][0] in SECTIONS else 1])
                    if name not in bad:
                        del values[name]
                        bad.add(name)
                    self.tell(self.origins[name], in_words(detail))
            else:
                folders = {"inbox": settings.inbox_folder, "outbox": settings.outbox_folder, "state": settings.state_folder}
                # a link may lead where the written path does not
                self.tell_conflicts(folder_conflicts({name: Path(os.path.realpath(folder)) for name, folder in folders.items()}), bad)
                return None if self.problems else settings

    def tell_conflicts(self, found: Iterable[Conflict], bad: set[str]) -> None:
        for conflict in found:
            if not bad.intersection(conflict.keys):
                name = next((name for name in conflict.keys if name in self.origins), conflict.keys[0])
                origin = self.origins.get(name, _Origin(name))
                self.tell(origin, conflict.words if name == conflict.keys[0] else f"{conflict.keys[0]}: {conflict.words}")


def _value(key: Key, node: yaml.Node) -> Any:  # noqa: ANN401 - what YAML holds; the schema decides next
    """What a node holds, read as the key's kind asks. Raises ValueError in words."""
    if node.tag not in _TAGS:
        raise ValueError(f"has the tag {node.tag}, which Trax does not read")
    if _is_null(node):
        if key.optional:
            return None
        raise ValueError("has no value" + ("; write [] for none" if key.kind == "list" else ""))
    if key.kind == "list":
        return _entries(node)
    if not isinstance(node, yaml.ScalarNode):
        raise ValueError(f"needs {'text' if key.kind == 'text' else 'one value'}, not a list or a group")  # noqa: TRY004 - a mistake in a file
    if key.kind == "text":
        return node.value
    try:
        return yaml.SafeLoader("").construct_document(node)
    except (yaml.YAMLError, ValueError) as error:
        raise ValueError(f"cannot be read: {node.value[:60]!r}") from error


def _entries(node: yaml.Node) -> tuple[str, ...]:
    if isinstance(node, yaml.ScalarNode):
        return tuple(entry.strip() for entry in node.value.split(",")) if node.value.strip() else ()
    if isinstance(node, yaml.SequenceNode) and all(isinstance(entry, yaml.ScalarNode) for entry in node.value):
        return tuple(entry.value for entry in node.value)
    raise ValueError("needs a list of texts, such as [one, two]")


def _node(key: Key, text: str) -> yaml.Node:
    if key.kind == "text":
        return yaml.ScalarNode(_TAG + ("null" if key.optional and text in {"", "~", "null"} else "str"), text)
    if key.kind == "list" and not text.lstrip().startswith("["):
        return yaml.ScalarNode(_TAG + "str", text)
    return yaml.compose(text, Loader=yaml.SafeLoader) or yaml.ScalarNode(_TAG + "null", "")


def _is_null(node: yaml.Node) -> bool:
    return bool(node.tag == _TAG + "null")


def _nested(values: Mapping[str, Any]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for name, value in values.items():
        section, _, leaf = name.rpartition(".")
        (nested.setdefault(section, {}) if section else nested)[leaf] = value
    return nested


def _unknown(dotted: str) -> str:
    """What to say of a key that is no setting: a neighbour that is spelt alike, else the same name in another section."""
    if _SECRETIVE.search(dotted):
        return ADVICE_ON_KEYS
    if dotted in SECTIONS:
        return f"is a group of settings; did you mean {next(name for name in KEYS if name.startswith(f'{dotted}.'))} or another of them?"
    section, _, leaf = dotted.rpartition(".")
    neighbours = {name.rpartition(".")[2]: name for name in (*KEYS, *SECTIONS) if name.rpartition(".")[0] == section}
    if close := get_close_matches(leaf, neighbours, n=1):
        return f"is not a setting; did you mean {neighbours[close[0]]}?"
    anywhere = {name.rpartition(".")[2]: name for name in KEYS}
    if close := get_close_matches(leaf, anywhere, n=1):
        return f"is not a setting; did you mean {anywhere[close[0]]}?"
    return "is not a setting"
