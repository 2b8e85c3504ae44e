"""The keys to other people's services: from the environment or systemd credentials, never from YAML, and never shown.

A secret is a `pydantic.SecretStr`: its repr, str and format are asterisks; only `get_secret_value()` tells it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, get_args

from pydantic import SecretStr

from trax.errors import ConfigError

SecretName = Literal["OPENAI_API_KEY", "DEEPSEEK_API_KEY", "HUGGINGFACE_TOKEN"]

#: All of them; a process that needs none is started without them.
NAMES: tuple[SecretName, ...] = get_args(SecretName)

_LONGEST = 4096


def find(name: SecretName, environ: Mapping[str, str] = os.environ) -> SecretStr | None:
    """A secret from the variable of that name, else from the file of that name in $CREDENTIALS_DIRECTORY; None when there is neither.

    Raises:
        ConfigError: the credential cannot be read, or is not one line of plain text.
    """
    text = environ.get(name, "").strip() or _credential(name, environ)
    if text and (len(text) > _LONGEST or not text.isascii() or not text.isprintable() or " " in text):
        raise ConfigError([f"{name} is not one line of plain letters, digits and signs."])
    return SecretStr(text) if text else None


def require(name: SecretName, feature: str, environ: Mapping[str, str] = os.environ) -> SecretStr:
    """The secret that a feature cannot do without. Raises ConfigError, naming the feature, when it is nowhere."""
    if (secret := find(name, environ)) is None:
        raise ConfigError([f"{feature} needs {name}: set it in the environment, or give the service a systemd credential of that name."])
    return secret


def _credential(name: SecretName, environ: Mapping[str, str]) -> str:
    folder = environ.get("CREDENTIALS_DIRECTORY")
    if not folder:
        return ""
    try:
        with (Path(folder) / name).open("rb") as handle:
            return handle.read(_LONGEST + 2).decode("utf-8", errors="replace").strip()
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise ConfigError([f"The credential {name} cannot be read: {error.strerror}."]) from error
