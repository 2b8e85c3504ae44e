"""The settings: what can be set, its types and bounds. Frozen, so that a job's snapshot stays what it was.

How YAML, presets and the environment become a `Settings` is in `trax.settings_file`; this module only says what is valid.
"""

from __future__ import annotations

import hashlib
import json
import os.path
from collections.abc import Mapping
from itertools import permutations
from operator import attrgetter
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from trax.languages import checked_folders, checked_language
from trax.settings_types import Address, Count, Folder, Fraction, Name, Seconds, matching, no_repeats

#: The extensions Trax can take at all; `intake.formats` chooses among them.
KNOWN_FORMATS = (".mp3", ".mp4", ".wav", ".m4a", ".webm", ".flac", ".ogg", ".opus", ".mkv", ".mov", ".aac")

Language = Annotated[str, AfterValidator(checked_language)]
OutputFormat = Literal["json", "srt", "vtt", "txt", "rttm", "ctm"]


class _Section(BaseModel):
    # strict: `max_workers: "2"` in YAML is a mistake to be told, not a number to be guessed
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Stages(_Section):
    """Which stages a job runs. `transcribe` is always on: it is what Trax is for; `refine: auto` is where a pair of models is there."""

    transcribe: Literal[True] = True
    refine: Literal[True, False, "auto"] = "auto"
    diarize: bool = True
    enhance: bool = False


class Audio(_Section):
    """The sound itself, before anything listens to it."""

    noise_reduction: bool = False


class Asr(_Section):
    """Speech to words."""

    engine: Literal["auto", "whisper", "pocketsphinx"] = "auto"
    fast_model: Name = "auto"
    refine_model: Name = "auto"
    refine_threshold: Fraction = 0.75
    language: Language = "en"
    vocabulary: Annotated[tuple[Name, ...], AfterValidator(no_repeats)] = Field(default=(), strict=False)


class Diarize(_Section):
    """Who spoke when."""

    model: Name = "auto"
    segmentation: Name = "auto"
    min_speakers: Count = 1
    max_speakers: Count = 10
    clustering: Literal["agglomerative", "spectral"] = "agglomerative"
    threshold: Annotated[float, Field(gt=0.0, lt=2.0)] | None = None
    profiles: bool = False
    profile_accept: Fraction | None = None
    profile_suggest: Fraction | None = None


class Enhance(_Section):
    """Corrections by an OpenAI-compatible language model, only where the recogniser was in doubt."""

    model: Name = "deepseek-chat"
    base_url: Address = "https://api.deepseek.com"
    system_prompt: str = ""
    user_prompt: str = ""


class Domain(_Section):
    """What the recordings are about."""

    name: Annotated[str, matching(r"[a-z][a-z0-9_-]*", "must be a name in small letters, digits, - and _")] = "general"
    auto_detect: bool = False


class Intake(_Section):
    """What is taken from the inbox, and when."""

    formats: Annotated[tuple[str, ...], AfterValidator(no_repeats)] = Field(default=KNOWN_FORMATS, strict=False, min_length=1)
    max_size_mb: Annotated[float, Field(gt=0)] = 500.0
    max_duration_hours: Annotated[float, Field(gt=0)] = 12.0
    settle_seconds: Seconds = 5.0
    rescan_seconds: Seconds = 30.0
    watch: Literal["auto", "events", "polling"] = "auto"
    language_folders: Annotated[tuple[str, ...], AfterValidator(checked_folders)] = Field(default=(), strict=False)

    @field_validator("formats")
    @classmethod
    def _known(cls, formats: tuple[str, ...]) -> tuple[str, ...]:
        for extension in formats:
            if extension not in KNOWN_FORMATS:
                raise ValueError(f"has {extension!r}, which is not one of {' '.join(KNOWN_FORMATS)}")
        return formats


class Output(_Section):
    """What is written to the outbox."""

    formats: Annotated[tuple[OutputFormat, ...], AfterValidator(no_repeats)] = Field(
        default=("json", "srt", "vtt"), strict=False, min_length=1
    )

    @field_validator("formats")
    @classmethod
    def _json_stays(cls, formats: tuple[str, ...]) -> tuple[str, ...]:
        if "json" not in formats:
            raise ValueError("must have json among its entries: it is written last and says that the rest is complete")
        return formats


class Retention(_Section):
    """How long a finished recording and its small artefacts stay in the archive; null: until purged."""

    archive_days: Annotated[float, Field(ge=0)] | None = 30.0


class Retries(_Section):
    """How often a job that failed for a passing reason is tried."""

    max_attempts: Count = 3
    first_delay_seconds: Seconds = 30.0
    max_delay_seconds: Seconds = 3600.0


class Workers(_Section):
    """How the worker processes are kept."""

    idle_seconds: Seconds = 300.0
    hang_seconds: Seconds = 600.0


class Models(_Section):
    """Where models are pulled from."""

    mirror: Address = "https://huggingface.co"


class Log(_Section):
    """What is logged."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"


class JobSettings(_Section):
    """What decides a job's result: this part is snapshotted with the job and hashed."""

    version: Literal["v1", "v2", "v2+"] | None = None
    accuracy_threshold: Fraction = 0.85
    confidence_threshold: Fraction = 0.6
    enable_quantization: bool = True
    stages: Stages = Stages()
    audio: Audio = Audio()
    asr: Asr = Asr()
    diarize: Diarize = Diarize()
    enhance: Enhance = Enhance()
    domain: Domain = Domain()
    output: Output = Output()

    @property
    def wants_second_pass(self) -> bool:
        """Whether a second pass is asked for, not only taken where the models for it are there."""
        return self.stages.refine is True or (self.stages.refine == "auto" and self.asr.refine_model != "auto")


class Settings(JobSettings):
    """Everything that can be set. Paths are as written; the `*_folder` properties make them absolute."""

    root: Folder = "."
    inbox: Folder = "inbox"
    outbox: Folder = "outbox"
    state: Folder = "state"
    socket: Folder | None = None
    max_workers: Annotated[int, Field(ge=1, le=64)] = 2
    max_memory_gb: Annotated[float, Field(ge=1.0)] = 8.0
    parallel: bool = True
    intake: Intake = Intake()
    retention: Retention = Retention()
    retries: Retries = Retries()
    workers: Workers = Workers()
    models: Models = Models()
    log: Log = Log()

    @model_validator(mode="after")
    def _agrees(self) -> Settings:
        if found := conflicts(self):
            raise PydanticCustomError("conflicts", "{words}", {"conflicts": found, "words": "; ".join(each.words for each in found)})
        return self

    @property
    def root_folder(self) -> Path:
        """The one folder that holds everything Trax writes; a relative one counts from the working directory."""
        return _tidy(Path.cwd() / Path(self.root).expanduser())

    @property
    def inbox_folder(self) -> Path:
        """Where recordings are dropped; a relative path counts from `root`, as for the others."""
        return self._under_root(self.inbox)

    @property
    def outbox_folder(self) -> Path:
        """Where transcripts appear."""
        return self._under_root(self.outbox)

    @property
    def state_folder(self) -> Path:
        """Where Trax keeps what it remembers."""
        return self._under_root(self.state)

    @property
    def socket_path(self) -> Path:
        """The control socket: as set (a service sets it to a place in /run), else in the state folder."""
        return self._under_root(self.socket) if self.socket is not None else self.state_folder / "traxd.sock"

    def _under_root(self, path: str) -> Path:
        return _tidy(self.root_folder / Path(path).expanduser())


def _tidy(path: Path) -> Path:
    return Path(os.path.normpath(path))


class Conflict(NamedTuple):
    """Settings that are each valid but cannot stand together. `keys` are dotted, the one to mend first."""

    keys: tuple[str, ...]
    words: str


#: What the settings know and no stage does yet: anything but the default would be a wish that is never heard.
_NOT_BUILT = {
    "enhancement": ("stages.enhance", *(f"enhance.{name}" for name in Enhance.model_fields)),
    "knowledge of domains": ("domain.name", "domain.auto_detect"),
}


def conflicts(settings: Settings) -> list[Conflict]:
    """Every impossible combination, and what is asked for but not built yet."""
    found = folder_conflicts({"inbox": settings.inbox_folder, "outbox": settings.outbox_folder, "state": settings.state_folder})
    for least, most in (("diarize.min_speakers", "diarize.max_speakers"), ("retries.first_delay_seconds", "retries.max_delay_seconds")):
        low, high = attrgetter(least, most)(settings)
        if low > high:
            found.append(Conflict((least, most), f"{low:g} is above {most}, which is {high:g}"))
    for what, keys in _NOT_BUILT.items():
        for key in keys:
            if attrgetter(key)(settings) != (default := attrgetter(key)(JobSettings())):
                found.append(Conflict((key,), f"{what} is not built yet; set {key} to {json.dumps(default)}"))
    return found


def folder_conflicts(folders: Mapping[str, Path]) -> list[Conflict]:
    """Which of these folders are the same or one inside another: Trax would then take its own files for recordings, or hide them."""
    found = []
    for inner, outer in permutations(folders, 2):
        if folders[inner] == folders[outer]:
            if inner < outer:  # said once, not from both ends
                found.append(Conflict((inner, outer), f"{folders[inner]} is the {outer} folder too; keep them apart"))
        elif folders[inner].is_relative_to(folders[outer]):
            found.append(Conflict((inner, outer), f"{folders[inner]} is inside the {outer} folder, {folders[outer]}; keep them apart"))
    return found


def snapshot(settings: Settings) -> dict[str, Any]:
    """What of the settings decides a job's result, JSON-ready: it stays with the job whatever is set later."""
    return settings.model_dump(mode="json", include=set(JobSettings.model_fields))


def settings_hash(job_settings: dict[str, Any]) -> str:
    """The first 16 hex digits of the SHA-256 of a snapshot in canonical JSON."""
    canonical = json.dumps(job_settings, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def job_settings(plain: dict[str, Any]) -> JobSettings:
    """A snapshot as typed settings. Raises pydantic.ValidationError when it was not made by `snapshot`."""
    return JobSettings.model_validate(plain)
