"""Every key that can be set, read off the schema: its dotted name, its environment variable, and how its value is written."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union

from pydantic import BaseModel

from trax.config import Settings

Kind = Literal["text", "list", "value"]


@dataclass(frozen=True, slots=True)
class Key:
    """One setting. `kind` says how its value is written: text as it is, a list of texts, or a number or true/false."""

    name: str
    kind: Kind
    optional: bool
    default: Any

    @property
    def variable(self) -> str:
        """The environment variable that overrides it: `asr.fast_model` → `TRAX_ASR_FAST_MODEL`."""
        return "TRAX_" + self.name.replace(".", "_").upper()


def _unwrapped(annotation: Any) -> tuple[Any, bool]:  # noqa: ANN401 - a type expression can be any object
    """The type itself, without Annotated and None, and whether None was there."""
    optional = False
    while True:
        origin = typing.get_origin(annotation)
        if origin is Annotated:
            annotation = typing.get_args(annotation)[0]
        elif origin in (types.UnionType, Union) and type(None) in typing.get_args(annotation):
            annotation = next(each for each in typing.get_args(annotation) if each is not type(None))
            optional = True
        else:
            return annotation, optional


def _kind(annotation: Any) -> Kind:  # noqa: ANN401 - a type expression can be any object
    if typing.get_origin(annotation) is tuple:
        return "list"
    is_text = annotation is str or (typing.get_origin(annotation) is Literal and isinstance(typing.get_args(annotation)[0], str))
    return "text" if is_text else "value"


def _walk(schema: type[BaseModel], prefix: str = "") -> Iterator[Key | str]:
    """Each key below a schema, and the name of each section before its keys."""
    for name, info in schema.model_fields.items():
        annotation, optional = _unwrapped(info.annotation)
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield prefix + name
            yield from _walk(annotation, f"{prefix}{name}.")
        else:
            yield Key(prefix + name, _kind(annotation), optional, info.default)


_ALL = tuple(_walk(Settings))

#: By dotted name, in the order of the schema.
KEYS = types.MappingProxyType({each.name: each for each in _ALL if isinstance(each, Key)})

#: The names of the groups of keys.
SECTIONS = frozenset(each for each in _ALL if isinstance(each, str))
