"""The entry point of traxd."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from loguru import logger

from trax import __version__, log
from trax.errors import AlreadyRunning, ConfigError, TraxError
from trax.service.daemon import run_daemon
from trax.settings_file import load_settings

_CONFIG_HELP = "the settings (default: $TRAX_CONFIG, else /etc/trax/trax.yaml, else those shipped)"
#: Exit codes, of sysexits.h where there is one: the settings are wrong; another daemon runs, try later.
FAILED, BAD_SETTINGS, TRY_LATER = 1, 78, 75


def main(argv: list[str] | None = None) -> int:
    """Run the daemon until it is told to stop; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="traxd",
        description="The Trax daemon: transcribes what is dropped into the inbox. Ask it things with trax-ctl.",
        epilog="Exit codes: 0 stopped as asked, 1 failed, 75 another traxd works on the same root, 78 the settings cannot be used.",
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help=_CONFIG_HELP)
    parser.add_argument("--version", action="version", version=f"traxd {__version__}")
    arguments = parser.parse_args(argv)
    log.configure("INFO")
    try:
        settings = load_settings(arguments.config)
        log.configure(settings.log.level)
        os.environ["TRAX_LOG_LEVEL"] = settings.log.level  # the workers log alike
        os.umask(0o027)
        run_daemon(settings)
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


if __name__ == "__main__":
    sys.exit(main())
