"""The settings: what can be set, its types and bounds. Frozen, so that a job's snapshot stays what it was.

How YAML, presets and the environment become a `Settings` is in `trax.settings_file`; this module only says what is valid.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Seconds = Annotated[float, Field(gt=0.0)]
Count = Annotated[int, Field(ge=1)]

#: The extensions Trax can take at all; `intake.formats` chooses among them.
KNOWN_FORMATS = (".mp3", ".mp4", ".wav", ".m4a", ".webm", ".flac", ".ogg", ".opus", ".mkv", ".mov", ".aac")

OutputFormat = Literal["json", "srt", "vtt", "txt", "rttm", "ctm"]


class _Section(BaseModel):
    # strict: `max_workers: "2"` in YAML is a mistake to be told, not a number to be guessed
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Stages(_Section):
    """Which stages a job runs. `transcribe` is always on: it is what Trax is for."""

    transcribe: Literal[True] = True
    refine: bool = False
    diarize: bool = True
    enhance: bool = False


class Asr(_Section):
    """Speech to words."""

    engine: Literal["auto", "whisper", "pocketsphinx"] = "auto"
    fast_model: str = "auto"
    refine_model: str = "auto"
    language: str = Field(default="en", pattern=r"^([a-z]{2,3}|auto)$")
    vocabulary: tuple[str, ...] = Field(default=(), strict=False)


class Diarize(_Section):
    """Who spoke when."""

    model: str = "auto"
    min_speakers: Count = 1
    max_speakers: Count = 10
    threshold: Annotated[float, Field(gt=0.0, lt=2.0)] | None = None

    @model_validator(mode="after")
    def _bounds_agree(self) -> Diarize:
        if self.min_speakers > self.max_speakers:
            raise ValueError(f"min_speakers ({self.min_speakers}) is above max_speakers ({self.max_speakers})")
        return self


class Enhance(_Section):
    """Corrections by an OpenAI-compatible language model, only where the recogniser was in doubt."""

    model: str = "deepseek-chat"
    base_url: str = Field(default="https://api.deepseek.com", pattern=r"^https?://")
    system_prompt: str = ""
    user_prompt: str = ""


class Domain(_Section):
    """What the recordings are about."""

    name: str = Field(default="general", pattern=r"^[a-z][a-z0-9_-]*$")
    auto_detect: bool = False


class Intake(_Section):
    """What is taken from the inbox, and when."""

    formats: tuple[str, ...] = Field(default=KNOWN_FORMATS, strict=False, min_length=1)
    max_size_mb: Annotated[float, Field(gt=0)] = 500.0
    max_duration_hours: Annotated[float, Field(gt=0)] = 12.0
    settle_seconds: Seconds = 5.0
    rescan_seconds: Seconds = 30.0
    watch: Literal["auto", "events", "polling"] = "auto"

    @field_validator("formats")
    @classmethod
    def _known(cls, formats: tuple[str, ...]) -> tuple[str, ...]:
        for extension in formats:
            if extension not in KNOWN_FORMATS:
                raise ValueError(f"{extension!r} is not one of {' '.join(KNOWN_FORMATS)}")
        return formats


class Output(_Section):
    """What is written to the outbox."""

    formats: tuple[OutputFormat, ...] = Field(default=("json", "srt", "vtt"), strict=False, min_length=1)

    @field_validator("formats")
    @classmethod
    def _json_stays(cls, formats: tuple[str, ...]) -> tuple[str, ...]:
        if "json" not in formats:
            raise ValueError("json must be among the formats: it is written last and says that the rest is complete")
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


class Log(_Section):
    """What is logged."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"


class Settings(_Section):
    """Everything that can be set. Paths are as written; `folder` resolves them."""

    version: Literal["v1", "v2", "v2+"] | None = None
    root: str = "."
    inbox: str = "inbox"
    outbox: str = "outbox"
    state: str = "state"
    socket: str | None = None
    max_workers: Annotated[int, Field(ge=1, le=64)] = 2
    max_memory_gb: Annotated[float, Field(ge=1.0)] = 8.0
    parallel: bool = True
    enable_quantization: bool = True
    accuracy_threshold: Fraction = 0.85
    confidence_threshold: Fraction = 0.6
    stages: Stages = Stages()
    asr: Asr = Asr()
    diarize: Diarize = Diarize()
    enhance: Enhance = Enhance()
    domain: Domain = Domain()
    intake: Intake = Intake()
    output: Output = Output()
    retention: Retention = Retention()
    retries: Retries = Retries()
    workers: Workers = Workers()
    log: Log = Log()

    @model_validator(mode="after")
    def _what_is_built(self) -> Settings:
        missing = [
            words
            for wanted, words in (
                (self.stages.refine, "stages.refine: the refinement pass is not built yet; set it to false (or use version: v1)"),
                (self.stages.enhance, "stages.enhance: enhancement is not built yet; set it to false"),
                (self.domain.auto_detect, "domain.auto_detect: domain detection is not built yet; set it to false"),
            )
            if wanted
        ]
        if missing:
            raise ValueError("\n".join(missing))
        return self

    @property
    def root_folder(self) -> Path:
        """The one folder that holds everything Trax writes; relative settings count from the working directory."""
        return Path(self.root).absolute()

    @property
    def inbox_folder(self) -> Path:
        """Where recordings are dropped."""
        return self.root_folder / self.inbox

    @property
    def outbox_folder(self) -> Path:
        """Where transcripts appear."""
        return self.root_folder / self.outbox

    @property
    def state_folder(self) -> Path:
        """Where Trax keeps what it remembers."""
        return self.root_folder / self.state

    @property
    def socket_path(self) -> Path:
        """The control socket: as set, else in systemd's runtime directory, else under the state folder."""
        if self.socket is not None:
            return self.root_folder / self.socket
        return self.state_folder / "traxd.sock"


#: The sections a job's result depends on: these are snapshotted with the job and hashed.
JOB_SECTIONS = frozenset(
    {"stages", "asr", "diarize", "enhance", "domain", "output", "accuracy_threshold", "confidence_threshold", "enable_quantization", "version"}
)


def snapshot(settings: Settings) -> dict[str, Any]:
    """What of the settings decides a job's result, JSON-ready: it stays with the job whatever is set later."""
    return settings.model_dump(mode="json", include=set(JOB_SECTIONS))


def settings_hash(job_settings: dict[str, Any]) -> str:
    """The first 16 hex digits of the SHA-256 of a snapshot in canonical JSON."""
    canonical = json.dumps(job_settings, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


class JobSettings(_Section):
    """A job's snapshot, read back: what of `Settings` decides its result."""

    version: Literal["v1", "v2", "v2+"] | None
    stages: Stages
    asr: Asr
    diarize: Diarize
    enhance: Enhance
    domain: Domain
    output: Output
    accuracy_threshold: Fraction
    confidence_threshold: Fraction
    enable_quantization: bool


def job_settings(plain: dict[str, Any]) -> JobSettings:
    """A snapshot as typed settings. Raises pydantic.ValidationError when it was not made by `snapshot`."""
    return JobSettings.model_validate(plain)
