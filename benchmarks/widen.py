"""Makes a small Whisper model as large as a published one: the same words at that size's cost, for measuring speed and memory.

`python benchmarks/widen.py MODEL DIMENSIONS OUTPUT` reads a ggml file and writes another; `trax.models.ggml.widen` tells how.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from trax.errors import TraxError
from trax.models.ggml.file import read, write
from trax.models.ggml.widen import DIMENSIONS, widened


def main(arguments: Sequence[str] | None = None) -> int:
    """Widen a model as the command line says; 1 when it cannot be done."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, help="a ggml file, such as the digits model's")
    parser.add_argument("dimensions", choices=DIMENSIONS, help="the published model whose width, heads and layers it gets")
    parser.add_argument("output", type=Path, help="the ggml file to write")
    chosen = parser.parse_args(arguments)
    try:
        write(widened(read(chosen.model), DIMENSIONS[chosen.dimensions]), chosen.output)
    except TraxError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{chosen.output}: {chosen.output.stat().st_size / 1e6:.0f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
