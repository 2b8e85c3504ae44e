"""The libraries of `trax[export]`, imported when a model is exported and never before. No other module of Trax imports them."""

from __future__ import annotations

import contextlib
import sys
import types
import warnings
from collections.abc import Iterator
from typing import Any, Final

from trax.errors import ModelError

#: As pyproject.toml has it; the versions whose checkpoints and classes this was tried with.
EXTRA: Final = "pip install 'trax[export]'"


def torch() -> Any:  # noqa: ANN401 - a module without types of its own
    """The module torch. Raises ModelError, with what to do, when it is not installed or does not load."""
    try:
        import torch  # type: ignore[import-not-found, unused-ignore]
    except (ImportError, OSError) as error:
        raise _missing(error) from error
    return torch


@contextlib.contextmanager
def pyannote_without_native_torchaudio() -> Iterator[None]:
    """A block in which pyannote.audio can be imported whatever torchaudio's native library was built for.

    That library is linked against CUDA, so beside a torch for the CPU it does not load, and torchaudio cannot be imported. Nothing of it
    is needed here: a stand-in says that it is not there.
    """
    stand_in: Any = types.ModuleType("torchaudio._extension")
    stand_in._IS_TORCHAUDIO_EXT_AVAILABLE = False  # noqa: SLF001 - what torchaudio's own modules ask
    stand_in.fail_if_no_align = lambda function: function
    sys.modules.setdefault("torchaudio._extension", stand_in)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torchcodec, which reads audio files, may be missing: no file is read here
        try:
            yield
        except (ImportError, OSError) as error:
            raise _missing(error) from error


def _missing(error: Exception) -> ModelError:
    what = f"Exporting a model needs torch, pyannote.audio and onnx, which are not all installed ({error})."
    advice = f"Install them where trax-ctl is: {EXTRA}. Trax runs without them; only exporting needs them, on this or any other machine."
    return ModelError(what, advice=advice)
