"""A job as JSON-ready values and back: how it lies in the ledger, in the archives and in `job.json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any, TypeVar

from trax.errors import JobError
from trax.jobs.job import Job, Standing, Status

_FIELDS = frozenset(field.name for field in fields(Job))
#: Fields that records of before do not have, and what they mean there.
_LATER = {"interruptions": 0, "standing": None}
_T = TypeVar("_T")


def to_plain(job: Job) -> dict[str, Any]:
    """The job as JSON-ready values; text that is not UTF-8 (a file name may be any bytes) becomes `{"surrogates": "<hex>"}`."""
    plain: dict[str, Any] = {name: getattr(job, name) for name in _FIELDS}
    plain["status"] = job.status.value
    plain["stages"] = list(job.stages)
    plain["settings"] = dict(job.settings)
    plain["source_name"] = _text_to_plain(job.source_name)
    if job.standing is not None:
        plain["standing"] = {**asdict(job.standing), "stages": list(job.standing.stages)}
    if job.error is not None:
        plain["error"] = {key: _text_to_plain(value) for key, value in job.error.items()}
    return plain


def from_plain(plain: Mapping[str, Any]) -> Job:
    """The reverse of `to_plain`. Raises `JobError` when a field is missing, unknown or of the wrong type."""
    try:
        _only_known(plain)
        plain = {**_LATER, **plain}
        error = _maybe(dict, plain["error"])
        return Job(
            id=_is(str, plain["id"]),
            source_name=_is(str, _text_from_plain(plain["source_name"])),
            output_name=_is(str, plain["output_name"]),
            stages=tuple(_is(str, stage) for stage in _is(list, plain["stages"])),
            settings=_is(dict, plain["settings"]),
            settings_hash=_is(str, plain["settings_hash"]),
            created=_number(plain["created"]),
            changed=_number(plain["changed"]),
            status=Status(plain["status"]),
            media_id=_is(str, plain["media_id"]),
            stage=_maybe(str, plain["stage"]),
            error=None if error is None else {key: _text_from_plain(value) for key, value in error.items()},
            attempts=_is(int, plain["attempts"]),
            interruptions=_is(int, plain["interruptions"]),
            not_before=_maybe_number(plain["not_before"]),
            started=_maybe_number(plain["started"]),
            finished=_maybe_number(plain["finished"]),
            size=_maybe(int, plain["size"]),
            modified=_maybe(int, plain["modified"]),
            duration=_maybe_number(plain["duration"]),
            duplicate_of=_maybe(str, plain["duplicate_of"]),
            standing=_standing_from_plain(_maybe(dict, plain["standing"])),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise JobError(f"A job's record cannot be read: {error!r}.", advice="See `trax-ctl doctor`.") from error


def _standing_from_plain(plain: Mapping[str, Any] | None) -> Standing | None:
    if plain is None:
        return None
    return Standing(
        diarize=_is(dict, plain["diarize"]),
        settings_hash=_is(str, plain["settings_hash"]),
        stages=tuple(_is(str, stage) for stage in _is(list, plain["stages"])),
        started=_maybe_number(plain["started"]),
        finished=_maybe_number(plain["finished"]),
        duplicate_of=_maybe(str, plain["duplicate_of"]),
        is_kept=_is(bool, plain["is_kept"]),
    )


def split_settings(job: Job) -> tuple[dict[str, Any], dict[str, Any]]:
    """The job's record without its settings, and the settings: many jobs share them, so they are kept once per `settings_hash`."""
    plain = to_plain(job)
    return plain, plain.pop("settings")


def join_settings(plain: Mapping[str, Any], settings: Mapping[str, Any]) -> Job:
    """The reverse of `split_settings`, given all settings by their hash. Raises `JobError` as `from_plain` does."""
    return from_plain({**plain, "settings": settings.get(str(plain.get("settings_hash")))})


def _text_to_plain(value: object) -> object:
    # "surrogatepass" holds any surrogate there is: those of undecodable file names and those that a hostile child may send
    if not isinstance(value, str):
        return value
    try:
        value.encode()
    except UnicodeEncodeError:
        return {"surrogates": value.encode("utf-8", "surrogatepass").hex()}
    return value


def _text_from_plain(value: object) -> object:
    if isinstance(value, Mapping):
        return bytes.fromhex(_is(str, value["surrogates"])).decode("utf-8", "surrogatepass")
    return value


def _only_known(plain: Mapping[str, Any]) -> None:
    if unknown := set(plain) - _FIELDS:
        raise ValueError(f"unknown fields {sorted(unknown)}")


def _is(kind: type[_T], value: object) -> _T:
    # bool is an int to Python, but never what a number's field should hold
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise TypeError(f"{value!r} is not of type {kind.__name__}")
    return value


def _maybe(kind: type[_T], value: object) -> _T | None:
    return None if value is None else _is(kind, value)


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r} is not a number")
    return float(value)


def _maybe_number(value: object) -> float | None:
    return None if value is None else _number(value)
