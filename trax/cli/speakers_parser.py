"""The command line of `trax-ctl speakers`."""

from __future__ import annotations

from trax.cli.command import Subparsers, command


def add_speakers(commands: Subparsers) -> None:
    """Add `speakers` and its actions."""
    parser = command(
        commands,
        "speakers",
        "enrol people, so that transcripts name them; list, rename or forget them",
        "Off unless `diarize.profiles` is set. What tells a person by the voice is personal data: enrol nobody who has not agreed.",
        "  sudo -u trax trax-ctl speakers enroll Anna anna.wav\n  sudo -u trax trax-ctl speakers list",
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True, title="actions")
    enroll = command(
        actions,
        "enroll",
        "learn somebody's voice from recordings in which that person alone speaks",
        "Half a minute of speech is good, 5 seconds are the least; several recordings are better than one. They are copied to\n"
        "state/speakers/NAME, closed to others; files that are put there by hand are learnt as well. Transcripts that are there\n"
        "already stay as they are, until `trax-ctl rediarize`.",
        "  trax-ctl speakers enroll Anna anna-1.wav anna-2.wav\n  trax-ctl speakers enroll 'Dr. Bob Ray' bob.m4a --discard-clips",
    )
    enroll.add_argument("name", metavar="NAME", help="the name that transcripts give")
    enroll.add_argument("files", metavar="FILE", nargs="+", help="recordings of that person")
    enroll.add_argument(
        "--discard-clips", action="store_true", help="keep only what the voice is known by, which another model will not understand"
    )
    command(
        actions,
        "list",
        "list who is enrolled",
        "With the number of clips, the seconds of speech in them, and what keeps somebody from being named.",
        "  trax-ctl speakers list\n  trax-ctl speakers list --json",
    )
    rename = command(
        actions,
        "rename",
        "give somebody another name",
        "In transcripts to come; in those that are there after `trax-ctl rediarize`.",
        "  trax-ctl speakers rename Anna 'Anna Berg'",
    )
    rename.add_argument("name", metavar="NAME", help="the name so far")
    rename.add_argument("new_name", metavar="NEW_NAME", help="the name from now on")
    forget = command(
        actions,
        "forget",
        "forget somebody: the clips, the voice, and the name in transcripts",
        "Transcripts in the outbox that Trax can still make anew from what it keeps are made anew without the name, and former ones that\n"
        "it keeps are removed. It tells which others have the name: corrected ones, and those whose job is no longer kept. It asks\n"
        "first; without a terminal it wants --yes.",
        "  trax-ctl speakers forget Anna\n  trax-ctl speakers forget --yes Anna",
    )
    forget.add_argument("name", metavar="NAME", help="who is to be forgotten")
    forget.add_argument("--yes", action="store_true", help="do not ask")
