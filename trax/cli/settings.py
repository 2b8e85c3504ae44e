"""`trax-ctl config`, and the settings as every other command gets them."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import yaml

from trax.cli.render import label
from trax.cli.terminal import Terminal
from trax.config import Settings
from trax.errors import ConfigError
from trax.settings_file import load_settings, settings_path
from trax.text import printable


def load(args: argparse.Namespace, overrides: Mapping[str, str] = MappingProxyType({})) -> Settings:
    """The settings that `--config`, the environment and `--set` name. Raises ConfigError."""
    return load_settings(_path(args.config), overrides=overrides)


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """`config check` and `config show`."""
    path = settings_path(_path(args.file or args.config))
    if args.action == "show":
        return _show(path, load_settings(path), terminal)
    try:
        load_settings(path)
    except ConfigError as error:
        if terminal.json:
            terminal.line(json.dumps({"file": str(path), "ok": False, "problems": list(error.problems)}))
        else:
            terminal.error(error)
        return 1
    terminal.data({"file": str(path), "ok": True, "problems": []}, label(f"{path}: every setting is right"))
    return 0


def _show(path: Path, settings: Settings, terminal: Terminal) -> int:
    plain = settings.model_dump(mode="json")
    if terminal.json:
        terminal.line(json.dumps(plain))
    else:
        terminal.line(f"# {printable(str(path))}, with TRAX_* variables and defaults")
        terminal.line(yaml.safe_dump(plain, sort_keys=False, allow_unicode=False).rstrip())
    return 0


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)
