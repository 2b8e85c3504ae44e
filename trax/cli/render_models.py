"""What `trax-ctl models` says, as rich renderables: pure functions from plain dicts, as in `render`."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from trax.cli.render import Plain, checks_view, cut, label, lineless, pairs
from trax.cli.text import languages
from trax.text import size


def models_view(models: Sequence[Plain], catalogue: Sequence[Plain]) -> RenderableType:
    """The installed models, a line each; below them those of the catalogue that could be added."""
    table = lineless("name", "kind", "engine", "scope", "languages", "size", "licence", "version")
    for model in models:
        table.add_row(
            cut(model.get("name")),
            *(label(model.get(key)) for key in ("kind", "engine", "scope")),
            label(languages(model.get("languages") or ())),
            label(size(model["size"]) if model.get("size") else None),
            *(label(model.get(key)) for key in ("licence", "version")),
        )
    names = {model.get("name") for model in models}
    others = [entry for entry in catalogue if entry.get("name") not in names and entry.get("loadable", True)]
    if not others:
        return table
    known = pairs((str(entry.get("name")), _offer(entry)) for entry in others)
    return Group(table, Text(), Text("Could be added (download the file, then `trax-ctl models add FILE`):", style="bold"), known)


def _offer(entry: Plain) -> Text:
    """Where a model is, and what decides whether to fetch it."""
    large = size(entry["size"]) if entry.get("size") else None
    facts = (large, languages(entry.get("languages") or ()), entry.get("licence"), entry.get("note"))
    return Text("\n").join([label(entry.get("source")), label(" · ".join(str(fact) for fact in facts if fact), "dim")])


def verified_view(verified: Sequence[str], findings: Sequence[Plain]) -> RenderableType:
    """What verifying found, a line a model."""
    good = [{"level": "ok", "subject": name, "found": "as it was added"} for name in verified]
    bad = [{"level": "problem", "subject": one["model"], "found": one["what"], "advice": one["advice"]} for one in findings]
    return checks_view([*good, *bad])
