"""Starting traxd: the command line, the settings, the lock, and an exit code for how it ended."""

from __future__ import annotations

import argparse
import asyncio
import faulthandler
import os
from pathlib import Path

from loguru import logger

from trax import __version__, core_dumps, files, log
from trax.config import Settings
from trax.errors import AlreadyRunning, ConfigError, TraxError
from trax.intake.writers import keep_right_to_ask
from trax.jobs.folders import StateFolders
from trax.service.steady import keep_memory_steady
from trax.settings_file import load_settings

_CONFIG_HELP = "the settings (default: $TRAX_CONFIG, else /etc/trax/trax.yaml, else those shipped)"
#: Exit codes, of sysexits.h where there is one: the settings are wrong; another daemon runs, try later.
FAILED, BAD_SETTINGS, TRY_LATER = 1, 78, 75


def start(argv: list[str] | None) -> int:
    """Run the daemon until it is told to stop; returns the exit code. Ends by SystemExit for --help, --version and usage."""
    parser = argparse.ArgumentParser(
        prog="traxd",
        description="The Trax daemon: transcribes what is dropped into the inbox. Ask it things with trax-ctl.",
        epilog="Exit codes: 0 stopped as asked, 1 failed, 75 another traxd works on the same root, 78 the settings cannot be used.",
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help=_CONFIG_HELP)
    parser.add_argument("--version", action="version", version=f"traxd {__version__}")
    arguments = parser.parse_args(argv)
    faulthandler.enable()  # a daemon that the watchdog ends says where it was stuck
    keep_memory_steady()
    log.configure("INFO")
    try:
        settings = load_settings(arguments.config)
        log.configure(settings.log.level)
        os.environ["TRAX_LOG_LEVEL"] = settings.log.level  # the workers log alike
        os.umask(0o027)
        core_dumps.forbid()
        keep_right_to_ask()
        _run(settings)
    except ConfigError as error:
        for line in str(error).splitlines():
            logger.error("{}", line)
        return BAD_SETTINGS
    except AlreadyRunning as error:
        logger.error("{}", error)
        return TRY_LATER
    except TraxError as error:
        logger.critical("traxd stops: {}", error)
        return FAILED
    return 0


def _run(settings: Settings) -> None:
    """Run one daemon over the root folder until it is told to stop.

    Raises AlreadyRunning when another daemon holds the root, and whatever made going on impossible.
    """
    folders = StateFolders(settings.state_folder)
    files.make_folder(folders.root)
    # The lock is the kernel's: it goes with the process that holds it, however that ends, so there is no stale one.
    with files.locked(folders.lock) as is_ours:
        if not is_ours:
            raise AlreadyRunning("Another traxd works on this root.", file=str(settings.root_folder))
        from trax.service.daemon import Daemon  # half of a start is spent on loading it: a second daemon ends before

        asyncio.run(Daemon(settings).run())
