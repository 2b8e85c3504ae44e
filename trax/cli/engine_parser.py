"""The command line of `trax-ctl engine`."""

from __future__ import annotations

from trax.cli.command import Subparsers, command


def add_engine(commands: Subparsers) -> None:
    """Add `engine` and its actions."""
    parser = command(
        commands,
        "engine",
        "build whisper.cpp for this machine, which is faster",
        "",
        "  sudo trax-ctl engine build\n  trax-ctl engine show",
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True, title="actions")
    build = command(
        actions,
        "build",
        "compile whisper.cpp for this processor, and use it from the next recording on",
        "Needs CMake, make, a C++ compiler and Python's headers (Debian, Ubuntu: apt install cmake make g++ python3-dev), a package index\n"
        "and some minutes. What was compiled is used only if it hears the same words as the whisper.cpp that comes with Trax, in less\n"
        "time; else it is refused, and says why. After an update of Trax, or on another processor, build it again.",
        "  sudo trax-ctl engine build\n  sudo trax-ctl engine build --from /media/usb/pywhispercpp-1.5.1.tar.gz",
    )
    build.add_argument("--from", metavar="FILE", dest="source", help="the source, where it was fetched before (default: fetched by pip)")
    command(
        actions,
        "show",
        "show which whisper.cpp is used, and why",
        "Of the one built for this machine how it was built, for which processor, when, and how much faster it was.",
        "  trax-ctl engine show\n  sudo -u trax trax-ctl engine show        as the service sees it",
    )
    command(
        actions,
        "remove",
        "remove the one built for this machine",
        "The whisper.cpp that comes with Trax is used from the next recording on. traxd may run meanwhile.",
        "  sudo trax-ctl engine remove",
    )
