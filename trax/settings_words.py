"""What pydantic found wrong with a setting, in plain words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_LONGEST_SHOWN = 60

_NEEDS = {
    "bool_type": "needs true or false",
    "int_type": "needs a whole number",
    "int_from_float": "needs a whole number",
    "float_type": "needs a number",
    "finite_number": "needs a finite number",
    "string_type": "needs text",
    "tuple_type": "needs a list",
    "greater_than": "must be more than {gt:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than": "must be less than {lt:g}",
    "less_than_equal": "must be at most {le:g}",
    "literal_error": "must be {expected}",
}


def in_words(detail: ErrorDetails) -> str:
    """One of pydantic's errors as the rest of a sentence that begins with the setting's name."""
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "value_error":  # raised by a check of ours, in words already
        return str(context["error"])
    if kind == "literal_error" and context["expected"] == "True":
        return "cannot be turned off"
    if kind == "too_short":
        return "needs at least one entry"
    if kind == "literal_error":
        context = {"expected": context["expected"].replace("True", "true").replace("False", "false")}
    needs = _NEEDS[kind].format(**context) if kind in _NEEDS else detail["msg"]
    return f"{needs}, but is {_shown(detail['input'])}"


def _shown(value: Any) -> str:  # noqa: ANN401 - whatever was written
    """A value as YAML would have it, short."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    text = repr(value)
    return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 1] + "…"
