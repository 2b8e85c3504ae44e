"""The catalogue: the models Trax knows of, with their licences and sources. `models/catalogue.yaml`, read and validated."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, cast, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from trax.errors import ModelError
from trax.models.model import OPEN, EngineName, Kind, Model
from trax.shipped import shipped

FILE = "catalogue.yaml"

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")]
_ADVICE = "The catalogue comes with Trax: install it again."


class Entry(BaseModel):
    """One model Trax knows of.

    `origin` says how it comes here: inside the `wheel` of `package`, made by Trax's `setup`, or a `download` that the user adds.
    `files` are relative to the package for a wheel, else one file name. `size` is in bytes, `memory_mb` what a process needs that
    runs it; both are absent where no source tells. `loadable` is false for models that this version knows but cannot run.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: Name
    kind: Kind
    engine: str
    origin: Literal["wheel", "setup", "download"]
    files: tuple[str, ...] = Field(strict=False, min_length=1)
    package: str | None = None
    version: str = ""
    scope: Name = OPEN
    languages: tuple[Annotated[str, Field(pattern=r"^([a-z]{2,3}|\*)$")], ...] = Field(strict=False, min_length=1)
    licence: str
    source: Annotated[str, Field(pattern=r"^https://")]
    size: Annotated[int, Field(gt=0)] | None = None
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
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
        if self.origin != "wheel" and len(self.files) != 1:
            raise ValueError(f"{self.name}: only a wheel has several files")
        return self

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


class Catalogue(BaseModel):
    """Every model Trax knows of, in the order of the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    models: tuple[Entry, ...]

    @model_validator(mode="after")
    def _tells_models_apart(self) -> Catalogue:
        for what, values in (
            ("name", [entry.name for entry in self.models]),
            ("file", [entry.files[0] for entry in self.models]),
            ("sha256", [entry.sha256 for entry in self.models if entry.sha256]),
        ):
            repeated = sorted({value for value in values if values.count(value) > 1})
            if repeated:
                raise ValueError(f"the same {what} stands twice: {', '.join(repeated)}")
        return self

    def __getitem__(self, name: str) -> Entry:
        """The entry of that name. Raises KeyError when there is none."""
        for entry in self.models:
            if entry.name == name:
                return entry
        raise KeyError(name)

    def identify(self, file_name: str, sha256: str) -> Entry | None:
        """The download that a file is: by its hash, or by its name where no hash is published.

        Raises ModelError when the file has the name of a known model but not its bytes.
        """
        downloads = [entry for entry in self.models if entry.origin == "download"]
        for entry in downloads:
            if entry.sha256 == sha256:
                return entry
        for entry in downloads:
            if entry.files[0] == file_name and entry.sha256 is not None:
                raise ModelError(
                    f"The file is named like {entry.name} of the catalogue but is not that model: its SHA-256 is {sha256}, "
                    f"and the published one is {entry.sha256}.",
                    file=file_name,
                    advice="Download it again; if it is a model of your own, give it a name of its own with --name.",
                )
            if entry.files[0] == file_name:
                return entry
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


@cache
def catalogue() -> Catalogue:
    """The catalogue that comes with Trax."""
    return read_catalogue(shipped("models") / FILE)
