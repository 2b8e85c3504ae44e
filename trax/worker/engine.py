"""A whisper.cpp for this machine: fetched, compiled, compared with the wheel's, and only then put where workers look for it.

The wheel's is built for every processor that has AVX2. This one is compiled from the same release of pywhispercpp, for what this processor
has, into one file, with an encoder that is changed in three lines. What comes from the package index must have the hash that stands here,
and nothing is used before a process of its own has heard the same words with it as with the wheel's, in less time (see
`trax.worker.engine_trial`).
"""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil  # noqa: TID251 - only `which`, which changes nothing
import signal
import subprocess
import sys
import sysconfig
import tarfile
import tempfile  # noqa: TID251 - what is compiled is copied from there through trax/files.py, or forgotten
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from trax import files
from trax.asr import native
from trax.asr.library import Library, wheel
from trax.asr.native import Build, Processor
from trax.errors import EngineError
from trax.models.package_index import fetched

REQUIREMENT: Final = "pywhispercpp==1.5.1"
SOURCE_SHA256: Final = "5df897e5dd9d9f16804fc937bd85b9f5880a0b29a55f8843585e0e03d76195e5"

_BUILD_SECONDS, _TRIAL_SECONDS = 3600, 900
_FETCH_YOURSELF = "Check that pip reaches a package index, or fetch the source on another machine and give it with --from."
_ENVIRONMENT = ("PATH", "LANG", "TMPDIR", "CC", "CXX", "VIRTUAL_ENV", "PYTHONPATH")
_TARGET = "_pywhispercpp"
_OPTIONS = (
    "-DCMAKE_BUILD_TYPE=Release",
    "-DPYBIND11_FINDPYTHON=ON",
    f"-DPython_EXECUTABLE={sys.executable}",
    "-DBUILD_SHARED_LIBS=OFF",  # one file, of which there is one hash
    "-DCMAKE_POSITION_INDEPENDENT_CODE=ON",
    "-DGGML_NATIVE=ON",
    "-DGGML_LLAMAFILE=ON",  # products of matrices in blocks, for what AMX does not do: attention, most of all
)
_AMX = "amx_int8"
#: gcc 12 takes the configuration of AMX's tiles, which only an intrinsic reads, for a dead store.
_KEEP_STORES = "-fno-tree-dse -fno-dse"
_WITHOUT_AMX = "-mno-amx-tile -mno-amx-int8 -mno-amx-bf16"

_ENCODER = "whisper_build_graph_encoder("
#: What is changed in whisper.cpp. Its encoder uses flash attention, which ggml computes in tiles, each row by one thread; without the empty
#: positions that a GPU wants at the end, to which every other would attend; and with keys and values as ggml computes with them, so that it
#: need not convert them for every tile. The decoder stays: its flash attention adds up differently with every number of threads.
#: Each change is made where it stands first behind the text before it.
_CHANGES = (
    (_ENCODER, "const int n_ctx_pad = GGML_PAD(n_ctx, 256);", "const int n_ctx_pad = n_ctx;"),
    (_ENCODER, "if (wctx.params.flash_attn) {", "if (true) {"),
    ("whisper_init_state(", "state->kv_pad, state->backends[0], ctx->itype,", "state->kv_pad, state->backends[0], GGML_TYPE_F32,"),
)

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Trial:
    """What a build heard in the sample, by model and threads, and the seconds of one window."""

    heard: list[Any]
    seconds: float

    @property
    def words(self) -> list[list[str]]:
        """The words alone, of each hearing."""
        return [[text for text, _, _ in tokens] for _, _, tokens in self.heard]


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to compile: its name for people, and the flags of both compilers."""

    name: str
    flags: str


def variants(processor: Processor) -> tuple[Variant, ...]:
    """The ways to compile for a processor, the fastest first; the next is tried where one does not hear what it should. Pure."""
    if _AMX not in processor.features:
        return (Variant("native", ""),)
    return (Variant("native, AMX", _KEEP_STORES), Variant("native, without AMX", _WITHOUT_AMX))


def make(folder: Path, source: Path | None, say: Say) -> Build:
    """Build, verify and put into `folder`, in place of what was there. `source` is the package's source, where it was fetched before.

    `say` hears what is under way. Raises EngineError when something is missing, does not compile, crashes, hears other words than the
    wheel's or is no faster; StorageError when the folder cannot be written.
    """
    _check_tools()
    files.make_folder(folder, 0o755)  # root builds, and the daemon's user has to read
    with files.locked(folder / ".lock") as ours, tempfile.TemporaryDirectory(prefix="trax-engine-") as name:
        if not ours:
            raise EngineError("Another `trax-ctl engine build` is under way.", advice="Wait for it.")
        work = Path(name)
        if source is None:
            say(f"Fetching the source of {REQUIREMENT} from the package index.")
            source = fetched(REQUIREMENT, SOURCE_SHA256, work, form="source", error=EngineError, advice=_FETCH_YOURSELF)
        unpacked = _unpacked(source, work / "source")
        changed = unpacked / "whisper.cpp" / "src" / "whisper.cpp"
        changed.write_text(with_flash_encoder(changed.read_text(encoding="utf-8")), encoding="utf-8")
        say("Hearing the sample with the whisper.cpp that comes with Trax.")
        before = trial(wheel())
        refusals: list[EngineError] = []
        for number, variant in enumerate(variants(native.this_processor())):
            say(f"Compiling ({variant.name}), which takes some minutes.")
            compiled = _compiled(unpacked, work / str(number), variant)
            say("Hearing the sample with it.")
            try:
                return _put(compiled, folder, variant, _compiler(work / str(number)), before)
            except EngineError as refused:
                say(refused.what)
                refusals.append(refused)
        raise refusals[0]


def with_flash_encoder(source: str) -> str:
    """whisper.cpp's source with the changes. Pure. Raises EngineError when it is not the source that they were made for."""
    for place, old, new in _CHANGES:
        before, found, after = source.partition(place)
        if not found or old not in after:
            raise EngineError("The source of whisper.cpp is not the one that Trax knows.")
        source = f"{before}{found}{after.replace(old, new, 1)}"
    return source


def remove(folder: Path) -> bool:
    """Remove the build, if there is one; workers that run keep it until they end. Raises StorageError."""
    if not folder.is_dir():
        return False
    is_there = (folder / native.NOTE).exists()
    files.remove(folder / native.NOTE)  # first: without it nothing is used
    files.remove_tree(folder)
    return is_there


def trial(library: Library) -> Trial:
    """What a build hears, tried in a process of its own. Raises EngineError when that does not end well."""
    command = [sys.executable, "-P", "-m", "trax.worker.engine_trial", json.dumps(library.to_plain())]
    what = f"The build ({library.build})"
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TRIAL_SECONDS, check=False, env=_environment())
    except subprocess.TimeoutExpired as error:
        raise EngineError(f"{what} did not hear the sample within {_TRIAL_SECONDS / 60:.0f} minutes.") from error
    if done.returncode < 0:
        raise EngineError(f"{what} crashed: {signal.strsignal(-done.returncode)} (signal {-done.returncode}).")
    try:
        plain = json.loads(done.stdout)
        return Trial(list(plain["heard"]), float(plain["seconds"]))
    except (ValueError, KeyError, TypeError) as error:
        raise EngineError(f"{what} could not be tried: {(done.stderr.strip().splitlines() or ['it said nothing'])[-1]}") from error


def judge(before: Trial, after: Trial) -> None:
    """Raises EngineError unless a build hears what the wheel's does, whatever the threads, and sooner. Pure."""
    if after.words != before.words:
        raise EngineError("It does not hear the words that the whisper.cpp of the wheel hears, so it is not used.")
    by_model: dict[str, list[Any]] = {}
    for model, _, tokens in after.heard:
        by_model.setdefault(model, []).append(tokens)
    if any(each != hearings[0] for hearings in by_model.values() for each in hearings):
        raise EngineError("With more threads it does not hear the same, so it is not used.")
    if after.seconds >= before.seconds:
        times = f"{after.seconds:.2f} s a window, the wheel's {before.seconds:.2f} s"
        raise EngineError(f"It is not faster than the whisper.cpp of the wheel ({times}), so it is not used.")


def _check_tools() -> None:
    lacking = [name for name in ("cmake", "make") if shutil.which(name) is None]
    lacking += [] if any(shutil.which(name) for name in (os.environ.get("CXX", "c++"), "g++", "clang++")) else ["a C++ compiler"]
    lacking += [] if (Path(sysconfig.get_path("include")) / "Python.h").is_file() else ["Python's headers (Python.h)"]
    if lacking:
        advice = "Debian, Ubuntu: apt install cmake make g++ python3-dev. Until then Trax goes on with the whisper.cpp that comes with it."
        raise EngineError(f"To build whisper.cpp, this machine lacks {', '.join(lacking)}.", advice=advice)
    if wheel().package.replace(" ", "==") != REQUIREMENT:
        raise EngineError(f"{wheel().package} is installed, and what can be built is {REQUIREMENT}.", advice="Install Trax again.")


def _unpacked(source: Path, into: Path) -> Path:
    """The folder with the source. Only the file that stands here by its hash is opened."""
    try:
        if (digest := files.sha256_of(source)) != SOURCE_SHA256:
            raise EngineError(f"This is not the source of {REQUIREMENT}: its SHA-256 is {digest}.", file=str(source))
        with tarfile.open(source) as archive:
            archive.extractall(into, filter="data")
    except OSError as error:
        raise EngineError(f"The source cannot be read: {error.strerror}.", file=str(source)) from error
    (folder,) = into.iterdir()
    return folder


def _compiled(source: Path, build: Path, variant: Variant) -> Path:
    """The module, compiled in the folder `build`."""
    environment = {**_environment(), "CFLAGS": variant.flags, "CXXFLAGS": variant.flags}
    jobs = str(len(os.sched_getaffinity(0)))
    for command in (
        ["cmake", "-S", str(source), "-B", str(build), *_OPTIONS],
        ["cmake", "--build", str(build), "--target", _TARGET, "--parallel", jobs],
    ):
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_BUILD_SECONDS, check=False, env=environment)
        except subprocess.TimeoutExpired as error:
            raise EngineError(f"Compiling did not end within {_BUILD_SECONDS / 60:.0f} minutes.") from error
        if done.returncode:
            raise EngineError(f"whisper.cpp could not be compiled: {_first_error(done.stdout + done.stderr)}")
    found = list(build.glob(f"{_TARGET}*.so"))
    if len(found) != 1:
        raise EngineError("whisper.cpp could not be compiled: there is no module.")
    return found[0]


def _put(compiled: Path, folder: Path, variant: Variant, compiler: str, before: Trial) -> Build:
    """Verify what was compiled where it will be used, and only then let it be used."""
    sha256 = files.sha256_of(compiled)
    target = (folder / f"whisper-{sha256[:12]}{native.python_ending()}").absolute()
    is_known = target.exists()
    files.copy(compiled, target, 0o644)
    package, processor, python = wheel().package, native.this_processor(), native.python_ending()
    try:
        after = trial(Library(package, variant.name, sha256, str(target)))
        judge(before, after)
        day = dt.datetime.now(dt.UTC).date().isoformat()
        seconds = (round(before.seconds, 3), round(after.seconds, 3))
        build = Build(target.name, sha256, package, variant.name, processor, python, compiler, day, seconds)
        native.check(build, target)
    except EngineError:
        if not is_known:
            files.remove(target)
        raise
    files.write_bytes(folder / native.NOTE, (json.dumps(build.to_plain(), indent=2) + "\n").encode(), 0o644)
    for other in folder.glob("whisper-*"):
        if other.name != target.name:
            files.remove(other)
    return build


def _compiler(build: Path) -> str:
    """What compiled, in a word, as CMake found it."""
    told: dict[str, str] = {}
    for file in build.glob("CMakeFiles/*/CMakeCXXCompiler.cmake"):
        for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
            key, _, value = line.removeprefix("set(").removesuffix(")").partition(" ")
            told[key] = value.strip('"')
    return f"{told.get('CMAKE_CXX_COMPILER_ID', 'unknown')} {told.get('CMAKE_CXX_COMPILER_VERSION', '')}".strip()


def _environment() -> dict[str, str]:
    return {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ} | {"GGML_NO_BACKTRACE": "1"}


def _first_error(said: str) -> str:
    lines: Sequence[str] = said.strip().splitlines() or ["nothing was said"]
    return next((line.strip() for line in lines if "error" in line.lower()), lines[-1].strip())
