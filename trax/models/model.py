"""A model as the rest of Trax sees it: a plain, frozen description. Loading it is the engines' business."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, cast, get_args

Kind = Literal["asr", "embedding", "segmentation", "vad"]
EngineName = Literal["whisper", "pocketsphinx", "ge2e", "wespeaker", "xvector", "pyannet", "silero"]

#: The scope of a model that takes any speech; every other scope names the narrow field that a model knows.
OPEN = "open"
#: The language of a model that tells languages apart by itself, or needs to know none.
ANY_LANGUAGE = "*"


@dataclass(frozen=True, slots=True)
class Model:
    """One installed model.

    `path` is the model's file, None when it lies inside the wheel of the engine that loads it; `sha256` (hex) is of that file as it was
    installed, None where the wheel's own record vouches for it. `version` is the model's own, or of the package it comes in. `scope` is
    "open" or names the narrow field the model knows, such as "digits". `languages` are ISO 639 codes, or "*" for any. `size` is in bytes.
    `settings` are what its card recommends and what its header tells, such as {"threshold": 0.35}. `pulled` tells what a model of the
    catalogue, pulled or added, was made of: {"from": address or folder, "files": {name: SHA-256 as it came}, "pinned": [names whose hash
    nobody had published]}; it is empty for every other. `library` tells, in a plan, which build of its engine's library runs a Whisper
    model (see `trax.asr.library`), since that decides its words; it is empty everywhere else.
    """

    name: str
    kind: Kind
    engine: EngineName
    path: str | None
    sha256: str | None
    version: str
    scope: str
    languages: tuple[str, ...]
    licence: str
    source: str
    size: int
    settings: Mapping[str, Any] = field(default_factory=dict)
    pulled: Mapping[str, Any] = field(default_factory=dict)
    library: Mapping[str, Any] = field(default_factory=dict)

    def speaks(self, language: str) -> bool:
        """Whether the model takes speech in `language` (an ISO 639 code)."""
        return ANY_LANGUAGE in self.languages or language in self.languages

    @property
    def key(self) -> str:
        """What tells it from every other model: the same for all that is said of it being the same."""
        return json.dumps(self.to_plain(), sort_keys=True)

    def to_plain(self) -> dict[str, Any]:
        """The model as JSON-ready values."""
        mappings = {"settings": dict(self.settings), "pulled": dict(self.pulled), "library": dict(self.library)}
        return {**asdict(self), "languages": list(self.languages), **mappings}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Model:
        """The reverse of `to_plain`. Raises KeyError, TypeError or ValueError when the shape is wrong."""
        kind, engine = str(plain["kind"]), str(plain["engine"])
        if kind not in get_args(Kind):
            raise ValueError(f"{kind!r} is no kind of model")
        if engine not in get_args(EngineName):
            raise ValueError(f"{engine!r} is no engine")
        path, sha256, settings = plain["path"], plain["sha256"], plain["settings"]
        pulled, library = plain.get("pulled", {}), plain.get("library", {})
        if not all(isinstance(each, Mapping) for each in (settings, pulled, library)):
            raise TypeError("settings, pulled or library is not a mapping")
        if isinstance(plain["languages"], str):
            raise TypeError("languages is not a list")
        return cls(
            name=str(plain["name"]),
            kind=cast("Kind", kind),
            engine=cast("EngineName", engine),
            path=None if path is None else str(path),
            sha256=None if sha256 is None else str(sha256),
            version=str(plain["version"]),
            scope=str(plain["scope"]),
            languages=tuple(str(language) for language in plain["languages"]),
            licence=str(plain["licence"]),
            source=str(plain["source"]),
            size=int(plain["size"]),
            settings={str(key): value for key, value in settings.items()},
            pulled={str(key): value for key, value in pulled.items()},
            library={str(key): value for key, value in library.items()},
        )
