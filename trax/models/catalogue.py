"""The catalogue: the models Trax knows of, with their licences and sources. `models/catalogue.yaml`, read and validated."""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, cast, get_args
from urllib.parse import quote

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from trax.errors import ModelError
from trax.models.ggml.header import WhisperHeader
from trax.models.model import OPEN, EngineName, Kind, Model
from trax.shipped import shipped

FILE = "catalogue.yaml"

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_ADVICE = "The catalogue comes with Trax: install it again."


class _Plain(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class File(_Plain):
    """One file of a model; in the catalogue its name alone will do. `size` (bytes) and `sha256` are absent where no source tells."""

    name: Annotated[str, Field(min_length=1)]
    size: Annotated[int, Field(gt=0)] | None = None
    sha256: Sha256 | None = None

    @model_validator(mode="before")
    @classmethod
    def _of_a_name(cls, value: object) -> object:
        return {"name": value} if isinstance(value, str) else value


class Entry(_Plain):
    """One model Trax knows of.

    `origin` says how it comes here: inside the `wheel` of `package`, `shipped` with Trax itself, made by Trax's `setup`, or a `download`.
    `files` are relative to the package for a wheel, to the folder `source` for a download, else one file among the models of Trax.
    What is downloaded is one whisper.cpp or ONNX model, or with `convert: hugging-face` the files of a model for Transformers; `quantise`
    says to which storage its weights are brought afterwards, absent: as they come. `memory_mb` is what a process needs that runs it, absent
    where nobody measured. `loadable` is false for models that this version knows but cannot run.
    """

    name: Name
    kind: Kind
    engine: str
    origin: Literal["wheel", "shipped", "setup", "download"]
    files: tuple[File, ...] = Field(strict=False, min_length=1)
    package: str | None = None
    version: str = ""
    scope: Name = OPEN
    languages: tuple[Annotated[str, Field(pattern=r"^([a-z]{2,3}|\*)$")], ...] = Field(strict=False, min_length=1)
    licence: str
    source: Annotated[str, Field(min_length=1)]
    convert: Literal["hugging-face"] | None = None
    quantise: Literal["q8_0", "q5_0"] | None = None
    memory_mb: Annotated[int, Field(gt=0)] | None = None
    loadable: bool = True
    settings: dict[str, Any] = {}
    note: str = ""

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Entry:
        if self.loadable and self.engine not in get_args(EngineName):
            raise ValueError(f"{self.name}: there is no engine {self.engine!r}; a model for later says loadable: false")
        if (self.origin == "wheel") != (self.package is not None):
            raise ValueError(f"{self.name}: package belongs to origin: wheel, and only there")
        if len(self.files) != 1 and self.origin != "wheel" and self.convert is None:
            raise ValueError(f"{self.name}: only a wheel, or what is converted, has several files")
        if self.origin == "download" and not self.source.startswith("https://"):
            raise ValueError(f"{self.name}: source is not the https:// address of a folder")
        if self.origin != "download" and (self.convert or self.quantise):
            raise ValueError(f"{self.name}: only what is downloaded is converted or quantised")
        return self

    @property
    def size(self) -> int | None:
        """Length in bytes of all files as they come, None where one is not known."""
        sizes = [file.size for file in self.files]
        return None if None in sizes else sum(size for size in sizes if size is not None)

    def address(self, file: File) -> str:
        """Where a file of a download lies."""
        return f"{self.source}/{quote(file.name)}"

    def as_model(self, *, path: Path | None, sha256: str | None, version: str, size: int) -> Model:
        """The entry as an installed model. `path` is None where it lies inside a wheel; `size` is in bytes."""
        return Model(
            name=self.name,
            kind=self.kind,
            engine=cast("EngineName", self.engine),
            path=None if path is None else str(path),
            sha256=sha256,
            version=version,
            scope=self.scope,
            languages=self.languages,
            licence=self.licence,
            source=self.source,
            size=size,
            settings=self.settings,
        )


class Pair(_Plain):
    """Two models for one recording: `fast` hears all of it, `refine` again what the first was in doubt about; both by name."""

    fast: Name
    refine: Name
    default: bool = False


class Catalogue(_Plain):
    """Every model Trax knows of, and which go together, in the order of the file. Exactly one pair, if any, is the default."""

    models: tuple[Entry, ...] = Field(strict=False)
    pairs: tuple[Pair, ...] = Field(default=(), strict=False)

    @model_validator(mode="after")
    def _tells_models_apart(self) -> Catalogue:
        hashes = [file.sha256 for entry in self.models for file in entry.files if file.sha256]
        places = [entry.address(file) for entry in self.models for file in entry.files]
        for what, values in (("name", [entry.name for entry in self.models]), ("file", places), ("sha256", hashes)):
            repeated = sorted(value for value, times in Counter(values).items() if times > 1)
            if repeated:
                raise ValueError(f"the same {what} stands twice: {', '.join(repeated)}")
        return self

    @model_validator(mode="after")
    def _pairs_fit(self) -> Catalogue:
        known = {entry.name: entry for entry in self.models if entry.kind == "asr"}
        for pair in self.pairs:
            for name in (pair.fast, pair.refine):
                if name not in known:
                    raise ValueError(f"a pair names {name}, which is no model for speech recognition here")
            fast, refine = known[pair.fast], known[pair.refine]
            if fast.scope != refine.scope or not set(fast.languages) <= set(refine.languages):
                raise ValueError(f"{pair.refine} does not take all that {pair.fast} takes, so they are no pair")
        if self.pairs and sum(pair.default for pair in self.pairs) != 1:
            raise ValueError("not exactly one pair is the default")
        return self

    def __getitem__(self, name: str) -> Entry:
        """The entry of that name. Raises KeyError when there is none."""
        for entry in self.models:
            if entry.name == name:
                return entry
        raise KeyError(name)

    def is_built_in(self, name: str) -> bool:
        """Whether a model of that name comes with Trax, or is made by its set-up."""
        return any(entry.name == name and entry.origin != "download" for entry in self.models)

    def identify(self, file_name: str, sha256: str) -> Entry | None:
        """The download that a whisper.cpp file is: by its hash, or by its name where no hash is published.

        Raises ModelError when the file has the name of a known model but not its bytes.
        """
        whisper = [entry for entry in self.models if entry.origin == "download" and entry.engine == "whisper"]
        downloads = [(entry, entry.files[0]) for entry in whisper if entry.convert is None]
        for entry, file in downloads:
            if file.sha256 == sha256:
                return entry
        for entry, file in downloads:
            if file.name != file_name:
                continue
            if file.sha256 is None:
                return entry
            raise ModelError(
                f"The file is named like {entry.name} of the catalogue but is not that model: its SHA-256 is {sha256}, "
                f"and the published one is {file.sha256}.",
                file=file_name,
                advice="Download it again; if it is a model of your own, give it a name of its own with --name.",
            )
        return None


def read_catalogue(path: Path) -> Catalogue:
    """Read and validate a catalogue. Raises ModelError that names every mistake."""
    try:
        plain = yaml.safe_load(path.read_bytes())
    except (OSError, yaml.YAMLError) as error:
        raise ModelError(f"The catalogue of models cannot be read: {error}.", file=str(path), advice=_ADVICE) from error
    try:
        return Catalogue.model_validate(plain)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in error.errors())
        raise ModelError(f"The catalogue of models is wrong: {problems}.", file=str(path), advice=_ADVICE) from error


def settings_of(header: WhisperHeader, known: Entry | None) -> dict[str, Any]:
    """What a Whisper model's card recommends: what its header tells, and what the catalogue knows of it."""
    told = {"weights": header.weights, "parameters": header.parameters, "audio_context": header.audio_context, "mels": header.mels}
    memory = {"memory_mb": known.memory_mb} if known and known.memory_mb else {}
    return {**told, **memory, **(known.settings if known else {})}


@cache
def catalogue() -> Catalogue:
    """The catalogue that comes with Trax."""
    return read_catalogue(shipped("models") / FILE)
