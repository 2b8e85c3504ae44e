"""What the doctor thinks of what it found: pure judgements on plain facts, each ok, a warning or a problem, with what to do."""

from __future__ import annotations

import stat
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from trax.config import Settings
from trax.text import size
from trax.transcript import SAMPLE_BYTES, SAMPLE_RATE

Level = Literal["ok", "warning", "problem"]

_PCM_BYTES_PER_HOUR = SAMPLE_RATE * SAMPLE_BYTES * 3600
#: Below this not even a short recording is safe.
_SCARCE = 200e6


@dataclass(frozen=True, slots=True)
class Check:
    """One finding. `advice` says what to do and is empty when there is nothing to be done."""

    level: Level
    subject: str
    found: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class FolderFacts:
    """A folder as the present user meets it; `read_only` is its file system, `parent_writable` the nearest parent that exists."""

    path: Path
    exists: bool
    is_folder: bool = False
    readable: bool = False
    usable: bool = False
    read_only: bool = False
    mode: int = 0
    device: int = 0
    parent_writable: bool = False


def folder(name: str, facts: FolderFacts) -> Check:
    """Whether Trax can work in a folder, and nobody else can who should not."""
    path = str(facts.path)
    if not facts.exists:
        if facts.parent_writable:
            return Check("warning", name, f"{path} is not there yet", "traxd makes it when it starts.")
        return Check("problem", name, f"{path} is not there and may not be made", f"As root: install -d -o trax -g trax -m 2770 {path}")
    if not facts.is_folder:
        return Check("problem", name, f"{path} is not a folder", "Move it away, or set another path in the settings.")
    return _private(name, path, facts.mode) if facts.usable else _unusable(name, path, facts)


def _unusable(name: str, path: str, facts: FolderFacts) -> Check:
    if facts.read_only:
        advice = "Jobs wait until it is writable again: see `journalctl -k` for errors of the disk, or mount it for writing."
        return Check("problem", name, f"{path} lies on a file system that is mounted read-only", advice)
    if facts.readable and name != "inbox":
        advice = "Enough to read what is there; ask for the service: sudo -u trax trax-ctl doctor"
        return Check("warning", name, f"{path} may be read and not written by this user", advice)
    return Check("problem", name, f"{path} may not be read and written by this user", "Check owner and mode, or run this as the user trax.")


def _private(name: str, path: str, mode: int) -> Check:
    if mode & stat.S_IWOTH:
        return Check("warning", name, f"{path} may be written by every user of this machine", f"chmod o-w {path}")
    if name == "state" and mode & stat.S_IROTH:
        return Check("warning", name, f"{path} holds recordings and may be read by every user of this machine", f"chmod o-rwx {path}")
    return Check("ok", name, path)


def mounts(devices: Mapping[str, int]) -> Check:
    """Whether claims and publications are renames. `devices` are the file systems of the folders that exist."""
    if len(set(devices.values())) <= 1:
        return Check("ok", "mounts", "inbox, outbox and state are on one file system")
    return Check(
        "warning",
        "mounts",
        "inbox, outbox and state are not on one file system: files are copied and compared in place of renamed",
        "Put all three on one file system, unless one is a share that has to be elsewhere.",
    )


def outbox_room(free: float) -> Check:
    """Whether an outbox on a disk of its own has room for transcripts."""
    found = f"{size(free)} free on the outbox's own disk"
    if free < _SCARCE:
        return Check("problem", "disk", found, "Make room: jobs wait while the disk is full.")
    return Check("ok", "disk", found)


def room(free: float, settings: Settings) -> Check:
    """Whether the largest recording allowed has room: its source and its decoded audio."""
    needed = settings.intake.max_size_mb * 1e6 + settings.intake.max_duration_hours * _PCM_BYTES_PER_HOUR
    found = f"{size(free)} free; the largest recording allowed takes up to {size(needed)}"
    if free < _SCARCE:
        return Check("problem", "disk", found, "Make room: jobs wait while the disk is full.")
    if free < needed:
        return Check("warning", "disk", found, "Make room, or lower intake.max_size_mb and intake.max_duration_hours.")
    return Check("ok", "disk", found)


def processor(machine: str, flags: Collection[str], cores: int, settings: Settings) -> list[Check]:
    """Whether the CPU has what the engines are built for, and enough cores for the workers. `flags` as in /proc/cpuinfo."""
    wanted = {"x86_64": ("avx2", "fma", "f16c"), "aarch64": ("asimd",)}.get(machine)
    if wanted is None:
        features = Check("warning", "cpu", f"{machine} is not a processor Trax is tested on", "Use x86_64 or aarch64 where you can.")
    elif missing := [flag for flag in wanted if flag not in flags]:
        advice = "Voice activity and Whisper are built for it and crash without; in a virtual machine, pass the host's CPU on."
        features = Check("problem", "cpu", f"{machine} without {', '.join(missing)}", advice)
    else:
        features = Check("ok", "cpu", f"{machine} with {', '.join(wanted)}")
    workers = settings.max_workers
    if workers > cores:
        return [features, Check("warning", "cores", f"{workers} workers share {cores} cores", f"Set max_workers to {cores} or less.")]
    return [features, Check("ok", "cores", f"{cores} cores for {workers} workers")]


def memory(total: float, settings: Settings) -> Check:
    """Whether the machine has the memory that the budget allows Trax."""
    found = f"{size(total)} in this machine, {settings.max_memory_gb:g} GB allowed to Trax"
    if total < settings.max_memory_gb * 1e9:
        return Check("warning", "memory", found, "Set max_memory_gb below what the machine has.")
    return Check("ok", "memory", found)


def daemon(pong: Mapping[str, Any], version: str) -> Check:
    """Whether the running daemon is of this version."""
    running = pong.get("version")
    if running not in (None, version):
        return Check("warning", "daemon", f"traxd {running} runs and trax-ctl is {version}", "systemctl restart traxd")
    return Check("ok", "daemon", "traxd runs and answers")


def ledger(counts: Mapping[str, int], damaged: Iterable[Path], kept: Iterable[Path]) -> Check:
    """Whether the ledger could be read, all of it. `damaged` files were passed over just now, `kept` ones when traxd started."""
    said = ", ".join(f"{count} {status}" for status, count in counts.items() if count) or "no jobs yet"
    if names := ", ".join(path.name for path in damaged):
        advice = "A damaged snapshot is set aside at the next start of traxd; bring a damaged archive back from a backup. See to the disk."
        return Check("warning", "ledger", f"{said}; damaged and not used: {names}", advice)
    if names := ", ".join(path.name for path in kept):
        advice = "traxd went on without them, from the jobs' folders. See to the disk, look through `trax-ctl status`, then remove them."
        return Check("warning", "ledger", f"{said}; kept since they were found damaged: {names}", advice)
    return Check("ok", "ledger", said)


def libraries(found: Iterable[Mapping[str, Any]]) -> Check:
    """Whether every native library loads."""
    listed = list(found)
    if broken := [f"{library['name']}: {library['problem']}" for library in listed if library["problem"]]:
        return Check("problem", "libraries", "; ".join(broken), "Install Trax again: pip install --force-reinstall trax")
    return Check("ok", "libraries", ", ".join(f"{library['name']} {library['version']}" for library in listed))


def engine(facts: Mapping[str, Any]) -> Check:
    """Which whisper.cpp is used, and whether the one built for this machine is left out. `facts`: `used`, `build`, `refusal`."""
    package = facts["used"]["package"]
    if facts["refusal"]:
        found = f"{package} as it comes with Trax; the one built for this machine is not used: {facts['refusal']}"
        return Check("warning", "whisper.cpp", found, "trax-ctl engine build makes another, trax-ctl engine remove takes it away.")
    if facts["build"] is None:
        return Check("ok", "whisper.cpp", f"{package} as it comes with Trax; trax-ctl engine build makes a faster one for this machine")
    return Check("ok", "whisper.cpp", f"{package}, built for this machine ({facts['build']['variant']})")


def sandbox(defences: Mapping[str, Any]) -> Check:
    """What the kernel has to keep the decoder in, which meets what strangers made. `defences`: `landlock` (version, 0: none), `seccomp`."""
    there = [f"Landlock {defences['landlock']}"] if defences["landlock"] else []
    there += ["system-call filter"] if defences["seccomp"] else []
    said = ", ".join((*there, "no new privileges", "resource limits"))
    missing = [name for name, key in (("Landlock", "landlock"), ("a system-call filter", "seccomp")) if not defences[key]]
    if missing:
        advice = "Linux 5.13 or later has both, where the boot option lsm= and the container allow them."
        return Check("warning", "sandbox", f"this kernel lacks {' and '.join(missing)}; the decoder is kept in by: {said}", advice)
    return Check("ok", "sandbox", said)


def models(installed: Sequence[Mapping[str, Any]], settings: Settings) -> list[Check]:
    """Whether there is a model that loads for every stage that is switched on."""
    broken = [model for model in installed if model.get("problem")]
    installed = [model for model in installed if not model.get("problem")]
    names = {kind: [str(model["name"]) for model in installed if model.get("kind") == kind] for kind in ("asr", "embedding", "vad")}
    open_asr = [model for model in installed if model.get("kind") == "asr" and model.get("scope") == "open"]
    checks = [
        Check("problem", "models", f"{model['name']} does not load: {model['problem']}", "trax-ctl models verify")
        for model in broken
    ]
    if any(model.get("engine") == "whisper" for model in open_asr):
        checks.append(Check("ok", "transcription", ", ".join(names["asr"])))
    elif open_asr:
        checks.append(
            Check(
                "warning",
                "transcription",
                f"{', '.join(names['asr'])}: of these only the built-in PocketSphinx takes any speech, and it is rough",
                "A Whisper model hears far better: trax-ctl models pull distil-small.en (`trax-ctl models list` shows the others).",
            )
        )
    else:
        checks.append(Check("problem", "transcription", "no model that takes any speech", "trax-ctl models pull distil-small.en"))
    if settings.stages.diarize:
        checks.append(_present("speakers", names["embedding"], "trax-ctl models setup"))
    checks.append(_present("voice activity", names["vad"], "Install Trax again: this model comes with it."))
    return checks


def second_pass(chosen: Mapping[str, str], settings: Settings) -> Check | None:
    """Whether a second pass that the settings ask for can be; None where nobody asks. `chosen` are the models by role, none if none fit."""
    if not (chosen and settings.wants_second_pass):
        return None
    if "refine" in chosen:
        return Check("ok", "second pass", f"{chosen['asr']}, then {chosen['refine']}")
    return Check(
        "warning",
        "second pass",
        f"asked for, and no better model goes with {chosen['asr']}: recordings are heard once",
        "`trax-ctl models list` shows which models go together, `trax-ctl models pull` brings them; or set stages.refine to auto.",
    )


def _present(subject: str, names: Sequence[str], advice: str) -> Check:
    return Check("ok", subject, ", ".join(names)) if names else Check("problem", subject, "no model is installed", advice)
