"""The command line, as argparse describes it: every command, its options and its examples. Help needs no manual beside it.

argparse rather than typer or click: it adds nothing to the install and starts quickest; what makes a help text good is what it says.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from trax import __version__
from trax.cli.arguments import AUTO, count, distance, language, positive, setting
from trax.cli.command import Help, Subparsers, add_shared, command
from trax.cli.engine_parser import add_engine
from trax.cli.models_parser import add_models
from trax.cli.speakers_parser import add_speakers

EXIT_CODES = """exit codes:
  0   done
  1   failed: a job, a recording, a check; standard error says which and why
  2   the command line is wrong
  69  traxd cannot be reached, and nothing else can answer
  75  try later: traxd is starting, stopping or busy
  130 stopped by Ctrl-C (128 + the number of the signal)"""

_ABOUT = """Trax turns recordings dropped into its inbox into transcripts with speakers in its outbox.
trax-ctl shows what it is doing, asks it to retry, cancel or purge, and transcribes files by hand."""

_EPILOG = f"""examples:
  trax-ctl status --watch                follow the queue
  trax-ctl retry --failed                try everything that failed again
  trax-ctl transcribe talk.mp3           one recording, now, without the daemon
  trax-ctl doctor                        is everything in place?

`trax-ctl COMMAND --help` shows the options and examples of a command.
Data goes to standard output, messages to standard error; colours only to a terminal, and never where NO_COLOR is set.

{EXIT_CODES}"""


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line, parsed. Ends by SystemExit for --help and --version (0) and when it is wrong (2)."""
    parser = build_parser()
    args = parser.parse_args(argv)
    if args.command == "retry" and bool(args.jobs) == args.failed:
        parser.error("retry: name the jobs, or say --failed")
    if args.command == "rediarize":
        if args.speakers and args.max_speakers:
            parser.error("rediarize: --speakers says both the least and the most")
        args.changes = _changes(args)
    return args


def _changes(args: argparse.Namespace) -> dict[str, Any]:
    """What `rediarize` changes of the section `diarize`."""
    least, most = (args.speakers, args.speakers) if args.speakers else (args.min_speakers, args.max_speakers)
    given = {"min_speakers": least, "max_speakers": most, "threshold": args.threshold}
    changes = {key: value for key, value in given.items() if value is not None}
    return changes | ({"threshold": None} if args.threshold == AUTO else {}) | ({"profiles": False} if args.no_profiles else {})


def build_parser() -> argparse.ArgumentParser:
    """The whole command line. The parsed namespace has `command` and, for those that have several actions, `action`."""
    parser = argparse.ArgumentParser(prog="trax-ctl", description=_ABOUT, epilog=_EPILOG, formatter_class=Help, allow_abbrev=False)
    add_shared(parser, top=True)
    parser.add_argument("--version", action="version", version=f"trax-ctl {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, title="commands")
    of_jobs = (_status, _show, _retry, _rediarize, _cancel, _purge)
    for add in (*of_jobs, _transcribe, _batch, add_speakers, add_models, add_engine, _doctor, _config):
        add(commands)
    return parser


def _status(commands: Subparsers) -> None:
    parser = command(
        commands,
        "status",
        "show what Trax is doing",
        "The queue, what runs with its stage, progress, speed (× real time) and time left, what finished lately, and what failed with\n"
        "the reason and what to do. Without a running traxd the ledger answers.",
        "  trax-ctl status\n  trax-ctl status --watch\n  trax-ctl status --json | jq '.counts'",
    )
    parser.add_argument("--watch", action="store_true", help="keep showing it until Ctrl-C; with --json a document a line")
    parser.add_argument("--interval", type=positive, default=1.0, metavar="SECONDS", help="how often --watch looks (default: 1)")


def _show(commands: Subparsers) -> None:
    parser = command(
        commands,
        "show",
        "show everything about one job",
        "JOB is an id as `trax-ctl status` shows it, the beginning of one that no other job's id shares, or an output's name.",
        "  trax-ctl show 20261122-190512-7f3a9c\n  trax-ctl show 20261122-1905 --json",
    )
    parser.add_argument("job", metavar="JOB", help="the job's id, its beginning, or its output's name")


def _retry(commands: Subparsers) -> None:
    parser = command(
        commands,
        "retry",
        "do jobs again that failed or were cancelled",
        "A retry keeps the settings the job began with and all the work that is still valid. With --current-settings it takes today's\n"
        "settings, with --language only another language; so may a completed job be done again. Without a running traxd the request\n"
        "is kept and applied when it starts.",
        "  trax-ctl retry 20261122-190512-7f3a9c\n  trax-ctl retry --failed\n  trax-ctl retry --language de meetings/talk",
    )
    parser.add_argument("jobs", metavar="JOB", nargs="*", help="ids, their beginnings, or outputs' names")
    parser.add_argument("--failed", action="store_true", help="every failed job, in place of naming them")
    parser.add_argument("--current-settings", action="store_true", help="with the settings as they are now")
    parser.add_argument("--language", type=language, metavar="CODE", help="with this as the language spoken, such as de; or auto")


def _rediarize(commands: Subparsers) -> None:
    parser = command(
        commands,
        "rediarize",
        "tell the speakers of transcribed recordings apart once more",
        "From the voices and words that are kept, in seconds: nothing is heard again, and the recording may be gone. The job's settings\n"
        "hold but for what is given here. The new transcript takes the place of the former, which is kept beside the archived job;\n"
        "`trax-ctl show` tells where. A transcript that somebody has corrected stays as it is. Without a running traxd the request is\n"
        "kept and applied when it starts.",
        "  trax-ctl rediarize --speakers 3 meetings/talk\n  trax-ctl rediarize --max-speakers 4 --threshold 0.3 20261122-190512-7f3a9c",
    )
    parser.add_argument("jobs", metavar="JOB", nargs="+", help="ids, their beginnings, or outputs' names")
    how_many = parser.add_mutually_exclusive_group()
    how_many.add_argument("--speakers", type=count, metavar="N", help="exactly so many speakers")
    how_many.add_argument("--min-speakers", type=count, metavar="N", help="at least so many")
    parser.add_argument("--max-speakers", type=count, metavar="N", help="at most so many")
    differ = "two voices differ beyond this cosine distance, 0 to 2; auto: as suits the model"
    parser.add_argument("--threshold", type=distance, metavar="DISTANCE", help=differ)
    parser.add_argument("--no-profiles", action="store_true", help="name nobody, whoever is enrolled")


def _cancel(commands: Subparsers) -> None:
    parser = command(
        commands,
        "cancel",
        "end a job that waits or runs",
        "The recording is kept, and `trax-ctl retry` takes the job up again. Without a running traxd the request is kept and applied\n"
        "when it starts.",
        "  trax-ctl cancel 20261122-190512-7f3a9c",
    )
    parser.add_argument("job", metavar="JOB", help="the job's id, its beginning, or its output's name")


def _purge(commands: Subparsers) -> None:
    parser = command(
        commands,
        "purge",
        "remove every trace of finished jobs",
        "Recording, transcripts (corrected ones too), error answers, and all that Trax remembers of it. This cannot be undone, so\n"
        "it asks first; without a terminal it wants --yes. Without a running traxd the request is kept and applied when it starts.",
        "  trax-ctl purge 20261122-190512-7f3a9c\n  trax-ctl purge --yes meetings/talk interviews/anna",
    )
    parser.add_argument("jobs", metavar="JOB", nargs="+", help="ids, their beginnings, or outputs' names")
    parser.add_argument("--yes", action="store_true", help="do not ask")


def _transcribe(commands: Subparsers) -> None:
    parser = command(
        commands,
        "transcribe",
        "transcribe recordings now, without the daemon",
        "Progress goes to standard error: live in a terminal, with stage, speed (× real time), CPU and memory; else a line a stage.\n"
        "The paths of what was written go to standard output. The recordings stay as and where they are. Ctrl-C ends it and leaves\n"
        "nothing half done behind.",
        "  trax-ctl transcribe talk.mp3\n  trax-ctl transcribe *.wav --out transcripts\n"
        "  trax-ctl transcribe call.m4a --set diarize.max_speakers=2 --set output.formats=json,srt,txt",
    )
    parser.add_argument("files", metavar="FILE", nargs="+", help="recordings")
    _add_work(parser, out="the working folder")


def _batch(commands: Subparsers) -> None:
    parser = command(
        commands,
        "batch",
        "transcribe every recording in a folder now, without the daemon",
        "Takes every file below DIR whose extension is among `intake.formats`, hidden ones aside, and keeps the subfolders in the output.\n"
        "Everything else is as with `trax-ctl transcribe`.",
        "  trax-ctl batch interviews\n  trax-ctl batch interviews --out transcripts --set stages.diarize=false",
    )
    parser.add_argument("folder", metavar="DIR", help="the folder")
    _add_work(parser, out="DIR itself")


def _add_work(parser: argparse.ArgumentParser, out: str) -> None:
    parser.add_argument("--out", metavar="DIR", help=f"where transcripts go, made when missing (default: {out})")
    parser.add_argument(
        "--set",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        dest="overrides",
        type=setting,
        help="a setting for this run, such as asr.engine=whisper; may be repeated; `trax-ctl config show` lists the keys",
    )


def _doctor(commands: Subparsers) -> None:
    command(
        commands,
        "doctor",
        "check whether everything is in place",
        "Settings, folders and their permissions, room on the disk, CPU and memory, models, the daemon and its ledger: a line each, ok,\n"
        "warning or problem, with what to do. Changes nothing. Exits 1 when there is a problem.",
        "  trax-ctl doctor\n  sudo -u trax trax-ctl doctor        as the service sees it\n"
        "  trax-ctl doctor --json | jq '.checks[] | select(.level != \"ok\")'",
    )


def _config(commands: Subparsers) -> None:
    parser = command(
        commands,
        "config",
        "check or show the settings",
        "",
        "  trax-ctl config check /etc/trax/trax.yaml\n  trax-ctl config show",
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True, title="actions")
    check = command(
        actions,
        "check",
        "say every mistake in the settings, without starting anything",
        "Reads the file and the TRAX_* variables as traxd would. Exits 1 when there is a mistake.",
        "  trax-ctl config check\n  trax-ctl config check new.yaml",
    )
    show = command(
        actions,
        "show",
        "show the settings in force, each with its value",
        "The file, the preset of `version`, the TRAX_* variables and the defaults, put together. Secrets are never part of the settings.",
        "  trax-ctl config show\n  trax-ctl config show --json | jq .intake",
    )
    for action in (check, show):
        action.add_argument("file", metavar="FILE", nargs="?", help="the settings file (default: as --config)")
