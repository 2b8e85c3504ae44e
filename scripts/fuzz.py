"""Coverage-guided fuzzing of one of Trax's parsers with atheris, which is no dependency of Trax: pip install atheris.

    python scripts/fuzz.py job_record [-max_total_time=60] [CORPUS_FOLDER]

The names are those of `benchmarks/fuzz_targets.py`; further arguments are libFuzzer's. It ends with a traceback and a file `crash-…` when
an input is found that a parser does not refuse as it should: that input becomes a test.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris  # type: ignore[import-untyped, import-not-found, unused-ignore]

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))

with atheris.instrument_imports(include=["trax"]):
    from fuzz_targets import TARGETS


def main() -> None:
    """Fuzz the parser that the command line names, until something is found or the time is over."""
    if len(sys.argv) < 2 or sys.argv[1] not in TARGETS:  # noqa: PLR2004 - the program's name and the parser's
        sys.exit(f"usage: fuzz.py {{{','.join(TARGETS)}}} [libFuzzer's arguments]")
    target, seed = TARGETS[sys.argv.pop(1)]
    target(seed)
    corpus = Path(tempfile.mkdtemp(prefix="trax-fuzz-corpus-"))
    (corpus / "seed").write_bytes(seed)
    atheris.Setup([*sys.argv, str(corpus)], target)  # into the first folder named, it writes what reaches new code
    atheris.Fuzz()  # ends the process


if __name__ == "__main__":
    main()
