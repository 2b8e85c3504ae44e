"""What `trax-ctl models` says, as rich renderables: pure functions from plain dicts, as in `render`."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from trax.cli.render import Plain, checks_view, cut, label, lineless, pairs
from trax.cli.text import languages
from trax.text import size


def models_view(models: Sequence[Plain], catalogue: Sequence[Plain], couples: Sequence[Plain]) -> RenderableType:
    """The installed models, a line each; below them those of the catalogue that could be pulled, and which go together."""
    table = lineless("name", "kind", "engine", "scope", "languages", "size", "licence", "used by")
    for model in models:
        table.add_row(
            cut(model.get("name")),
            *(label(model.get(key)) for key in ("kind", "engine", "scope")),
            label(languages(model.get("languages") or ())),
            label(size(model["size"]) if model.get("size") else None),
            label(model.get("licence")),
            label(_users(model.get("used_by") or {})),
        )
    names = {model.get("name") for model in models}
    pulled = [entry for entry in catalogue if entry.get("origin") == "download" and entry.get("loadable", True)]
    others = [entry for entry in pulled if entry.get("name") not in names]
    parts: list[RenderableType] = [table]
    if others:
        parts += [Text(), Text("Could be pulled with `trax-ctl models pull NAME`:", style="bold")]
        parts += [pairs((str(entry.get("name")), _offer(entry)) for entry in others)]
    if couples:
        parts += [Text(), Text("Go together, the fast one first:", style="bold"), *(label(_couple(couple)) for couple in couples)]
    return Group(*parts)


def _users(users: Plain) -> str | None:
    jobs = len(users.get("jobs") or ())
    told = [*(users.get("settings") or ()), *(["auto"] if users.get("auto") else [])]
    if jobs:
        told.append("1 job" if jobs == 1 else f"{jobs} jobs")
    return ", ".join(told) or None


def _couple(couple: Plain) -> str:
    return f"{couple.get('fast')} + {couple.get('refine')}{' (default)' if couple.get('default') else ''}"


def _offer(entry: Plain) -> Text:
    """What decides whether to fetch a model, and where its files are: people without the internet fetch them elsewhere."""
    facts = (
        f"{size(entry['size'])} to fetch" if entry.get("size") else None,
        f"{size(entry['memory_mb'] * 1e6)} of memory" if entry.get("memory_mb") else None,
        entry.get("scope") if entry.get("scope") != "open" else None,
        languages(entry.get("languages") or ()),
        entry.get("licence"),
        entry.get("note"),
    )
    addresses = [label(f"{entry.get('source')}/{file['name']}", "dim") for file in entry.get("files") or ()]
    return Text("\n").join([label(" · ".join(str(fact) for fact in facts if fact)), *addresses])


def verified_view(verified: Sequence[str], findings: Sequence[Plain]) -> RenderableType:
    """What verifying found, a line a model."""
    good = [{"level": "ok", "subject": name, "found": "whole and unchanged"} for name in verified]
    bad = [{"level": "problem", "subject": one["model"], "found": one["what"], "advice": one["advice"]} for one in findings]
    return checks_view([*good, *bad])
