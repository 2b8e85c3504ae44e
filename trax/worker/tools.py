"""`python -m trax.worker.tools`: what trax-ctl asks of this side of the process wall. One JSON document on stdout, messages on stderr.

    models list [SETTINGS]      {"models": [Model], "findings": [...], "catalogue": [Entry], "pairs": [Pair], "chosen": {role: name}}
    models pull NAME            {"pulled": Model, "is_new": whether it was not installed already}; progress on stderr
    models add FILE             {"added": Model}
    models remove NAME          {"removed": path}
    models verify               {"verified": [name], "findings": [...]}; exit 1 when there are findings
    models setup [--into DIR]   {"made": path}
    models export FILE|ID       {"exported": Model, "difference": the largest from the original, "cosine": the least}; notes on stderr
    models calibrate NAME DIR   {"model": name, "threshold", "recordings", "confusion": {threshold: part}, "kept": whether on its card}
    engine build [--from FILE]  {"built": Build}; what is under way on stderr
    engine show                 see `trax.worker.facts.engine_facts`
    engine remove               {"removed": whether there was one}
    doctor                      see `trax.worker.facts`

Of these only `pull`, `setup`, `build` and `export` of an id use the network. Exit codes: 0 done, 1 failed (the document is
{"error": TraxError.as_dict()}), 2 usage, 130 stopped.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

from trax import files
from trax.asr.native import folder_beside
from trax.config import job_settings
from trax.errors import ModelError, TraxError
from trax.models.catalogue import catalogue
from trax.models.model import Model
from trax.models.removing import remove
from trax.models.store import survey, verify
from trax.shipped import shipped

_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one tool and return the exit code."""
    options = _parser().parse_args(arguments)
    with _stdout_kept_clean() as out:
        try:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPPING)  # trax-ctl holds them back until here, where they are answered for
            code, answer = _TOOLS[options.tool](options)
        except TraxError as error:
            code, answer = 1, {"error": error.as_dict()}
        except KeyboardInterrupt:
            return 130
        json.dump(answer, out, ensure_ascii=False)
        out.write("\n")
    return code


def _list(options: argparse.Namespace) -> tuple[int, dict[str, Any]]:
    found, known = survey(_models(options)), catalogue()
    return 0, {
        "models": [model.to_plain() for model in found.models],
        "findings": [asdict(finding) for finding in found.findings],
        "catalogue": [{**entry.model_dump(mode="json"), "size": entry.size} for entry in known.models],
        "pairs": [pair.model_dump(mode="json") for pair in known.pairs],
        "chosen": _chosen(options.settings, found.models),
    }


def _chosen(settings: str | None, models: Sequence[Model]) -> dict[str, str]:
    """The names of what a job of these settings would use now, by role; empty where it could not run, which the doctor tells."""
    from trax.models.choose import choose

    if settings is None:
        return {}
    try:
        plan = choose(job_settings(json.loads(settings)), models, catalogue().pairs)
    except ModelError:
        return {}
    return {role: model.name for role, model in plan.by_role().items() if model}


def _add(options: argparse.Namespace) -> tuple[int, dict[str, Any]]:
    from trax.models.adding import add

    model = add(
        options.file,
        _models(options),
        name=options.name,
        scope=options.scope,
        languages=options.languages.split(",") if options.languages else None,
        licence=options.licence,
        source=options.source,
        window_seconds=options.window,
    )
    return 0, {"added": model.to_plain()}


def _pull(options: argparse.Namespace) -> tuple[int, dict[str, Any]]:
    from trax.models.gathering import Source
    from trax.models.places import is_address
    from trax.models.pulling import pull
    from trax.worker.pull_display import display

    given, token = options.source, os.environ.get("HUGGINGFACE_TOKEN")
    if given is None:
        source = Source(options.mirror, token)
    elif is_address(given):
        source = Source(options.mirror, base=given)
    else:
        source = Source(options.mirror, folder=Path(given))
    with display(quiet=options.quiet) as watching:
        pulled = pull(options.name, _models(options), source, watching)
    return 0, {"pulled": pulled.model.to_plain(), "is_new": pulled.is_new}


def _remove(options: argparse.Namespace) -> tuple[int, dict[str, Any]]:
    return 0, {"removed": str(remove(options.name, _models(options)))}


def _verify(options: argparse.Namespace) -> tuple[int, dict[str, Any]]:
    findings = verify(_models(options))
    wrong = {finding.model for finding in findings}
    names = [model.name for model in survey(_models(options)).models if model.name not in wrong]
    return 1 if findings else 0, {"verified": names, "findings": [asdict(finding) for finding in findings]}


def _setup(options: argparse.Namespace) -> tuple[int, dict[str, Any]]:
    from trax.models.setup import setup_ge2e

    into = options.into or (shipped("models") if os.access(shipped("models"), os.W_OK) else _models(options))
    files.make_folder(into)
    return 0, {"made": str(setup_ge2e(into))}


def _engine_build(options: argparse.Namespace) -> tuple[int, dict[str, Any]]:
    from trax.worker.engine import make
    from trax.worker.pull_display import display

    with display(quiet=options.quiet) as watching:
        return 0, {"built": make(folder_beside(_models(options)), options.source, watching.note).to_plain()}


def _engine_show(options: argparse.Namespace) -> tuple[int, dict[str, Any]]:
    from trax.worker.facts import engine_facts

    return 0, engine_facts(_models(options))


def _engine_remove(options: argparse.Namespace) -> tuple[int, dict[str, Any]]:
    from trax.worker.engine import remove

    return 0, {"removed": remove(folder_beside(_models(options)))}


def _calibrate(options: argparse.Namespace) -> tuple[int, dict[str, Any]]:
    from trax.worker.calibrating import calibrate_model

    def tell(line: str) -> None:
        if not options.quiet:
            sys.stderr.write(f"{line}\n")

    return 0, calibrate_model(options.name, options.folder, _models(options), len(os.sched_getaffinity(0)), tell)


def _export(options: argparse.Namespace) -> tuple[int, dict[str, Any]]:
    from trax.worker.export.exporting import Request, export
    from trax.worker.export.hub import address, fetched, is_hub_id
    from trax.worker.export.libraries import check_installed
    from trax.worker.pull_display import display

    told = {"name": options.name, "licence": options.licence, "threshold": options.threshold, "is_int8": options.int8}
    with display(quiet=options.quiet) as watching:
        if is_hub_id(options.checkpoint):
            check_installed()  # before megabytes are fetched in vain
            token = os.environ.get("HUGGINGFACE_TOKEN")
            with fetched(options.checkpoint, _models(options), watching, mirror=options.mirror, token=token) as file:
                done = export(Request(file, address(options.checkpoint), **told), _models(options), watching)
        else:
            file = Path(options.checkpoint)
            done = export(Request(file, options.source or "exported from a file", **told), _models(options), watching)
    return 0, {"exported": done.model.to_plain(), "difference": done.found.difference, "cosine": done.found.cosine}


def _doctor(options: argparse.Namespace) -> tuple[int, dict[str, Any]]:
    from trax.worker.facts import facts

    return 0, facts(_models(options))


_TOOLS = {
    "list": _list,
    "pull": _pull,
    "add": _add,
    "remove": _remove,
    "verify": _verify,
    "setup": _setup,
    "doctor": _doctor,
    "engine-build": _engine_build,
    "engine-show": _engine_show,
    "engine-remove": _engine_remove,
    "calibrate": _calibrate,
    "export": _export,
}


def _models(options: argparse.Namespace) -> Path:
    folder: Path = options.state / "models"
    return folder


@contextmanager
def _stdout_kept_clean() -> Iterator[TextIO]:
    """The real stdout for the answer alone; what native libraries print to descriptor 1 meanwhile goes to stderr."""
    sys.stdout.flush()
    with os.fdopen(os.dup(1), "w", encoding="utf-8", errors="backslashreplace") as out:
        os.dup2(2, 1)
        yield out


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--state", type=Path, default=Path("state"), metavar="DIR", help="Trax's state folder; models lie in DIR/models")
    common.add_argument("--json", action="store_true", help="accepted for clarity: the answer is always JSON")
    parser = argparse.ArgumentParser(prog="python -m trax.worker.tools", description="What trax-ctl asks of the workers' side.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("doctor", parents=[common], help="facts about libraries, processor and models").set_defaults(tool="doctor")
    models = commands.add_parser("models", help="list, add, verify or set up models").add_subparsers(dest="tool", required=True)
    listing = models.add_parser("list", parents=[common], help="what is installed, and what can be")
    listing.add_argument("settings", nargs="?", help="what decides a job's result, as JSON: then what a job would use is told")
    pulling = models.add_parser("pull", parents=[common], help="fetch a model of the catalogue and install it")
    pulling.add_argument("name")
    pulling.add_argument("--from", dest="source", metavar="DIR|URL", help="the file, a folder with its files, or their address")
    pulling.add_argument("--mirror", default="https://huggingface.co", metavar="URL", help="what takes the place of huggingface.co")
    pulling.add_argument("--quiet", action="store_true", help="show no progress")
    adding = models.add_parser("add", parents=[common], help="copy a Whisper ggml file into the state folder")
    adding.add_argument("file", type=Path)
    adding.add_argument("--name", help="what to call it; default: its name in the catalogue, or the file's")
    adding.add_argument("--scope", help='"open" for any speech, or the narrow field it knows, such as "digits"')
    adding.add_argument("--languages", metavar="CODES", help="the languages it is good at, such as en,de; default: those of its vocabulary")
    adding.add_argument("--licence")
    adding.add_argument("--source", help="where it came from")
    adding.add_argument("--window", type=float, metavar="SECONDS", help="how much it hears at once; default: 30")
    removing = models.add_parser("remove", parents=[common], help="remove a model that was pulled or added")
    removing.add_argument("name")
    calibrating = models.add_parser("calibrate", parents=[common], help="learn a speaker embedding's threshold from labelled recordings")
    calibrating.add_argument("name")
    calibrating.add_argument("folder", type=Path)
    calibrating.add_argument("--quiet", action="store_true", help="show no progress")
    models.add_parser("verify", parents=[common], help="check every installed model anew")
    setup = models.add_parser("setup", parents=[common], help="fetch and convert the built-in speaker embedding")
    setup.add_argument("--into", type=Path, metavar="DIR", help="default: beside the models of Trax, or DIR/models if that may not be")
    engine = commands.add_parser("engine", help="build whisper.cpp for this machine").add_subparsers(dest="action", required=True)
    building = engine.add_parser("build", parents=[common], help="compile it, verify it, and use it from then on")
    building.add_argument("--from", dest="source", type=Path, metavar="FILE", help="the source of pywhispercpp, fetched before")
    building.add_argument("--quiet", action="store_true", help="show no progress")
    building.set_defaults(tool="engine-build")
    engine.add_parser("show", parents=[common], help="what is used, and why").set_defaults(tool="engine-show")
    engine.add_parser("remove", parents=[common], help="go back to that of the wheel").set_defaults(tool="engine-remove")
    exporting = models.add_parser("export", parents=[common], help="make ONNX of a pyannote.audio checkpoint and install it")
    exporting.add_argument("checkpoint", metavar="FILE|ID")
    exporting.add_argument("--name", help="what to call it; default: as the hub or the file calls it")
    exporting.add_argument("--int8", action="store_true", help="weights in eight bits")
    exporting.add_argument("--threshold", type=float, help="the cosine distance up to which two voices are one")
    exporting.add_argument("--licence")
    exporting.add_argument("--source", help="where the file came from")
    exporting.add_argument("--mirror", default="https://huggingface.co", metavar="URL", help="what takes the place of huggingface.co")
    exporting.add_argument("--quiet", action="store_true", help="show no progress")
    return parser


if __name__ == "__main__":
    sys.exit(main())
