"""Inbox, outbox and state on disks of their own, each of which is full, read-only or gone for a while. Run by `full_disks`."""

from __future__ import annotations

import wave
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from attacks.small_disks import PATIENCE_S, SMALL_RESERVE, Outputs, Rooms, Witness, ballast, command, held_in, mount
from trax.cli.client import ask
from trax.jobs.job import Status

_DISKS = {"inbox": "drop", "outbox": "answers/out", "state": "own/state"}
_BIG_SECONDS = 1000


def mounts(root: Path, clips: tuple[Path, ...], expected: Outputs) -> tuple[list[str], int]:
    """Takes six clips through what can happen to three disks; returns the violations and how often something waited."""
    for name, megabytes in (("drop", 64), ("shelf", 8), ("own/state", 64)):
        mount(root / name, megabytes)
    (root / "answers" / "out").mkdir(parents=True)
    command("mount", "--bind", root / "shelf", root / "answers" / "out")  # so that what is in it outlives its being unmounted
    with Rooms(root, SMALL_RESERVE, disks=_DISKS) as daemon:
        daemon.wait_until(daemon.is_up, PATIENCE_S)
        witness = Witness(daemon, expected)
        first, second, third, fourth, fifth, sixth = clips[:6]
        with ballast(daemon.outbox, 0):
            _drop_and_wait(witness, first, "the outbox is full")
        _all_done(witness, first, "the outbox was full")

        daemon.put(second, second.name)
        with held_in(daemon, "transcribe", second.name) as resume, ballast(daemon.outbox, 0):
            resume()
            witness.wait_until_it_waits(second.name, "the outbox is full when the work is done")
        _all_done(witness, second, "the outbox was full when the work was done")

        empty = root / "empty.wav"
        empty.touch()
        with read_only(daemon.outbox):
            daemon.put(empty, empty.name)
            witness.wait_until_it_waits(empty.name, "the outbox is read-only")
            _drop_and_wait(witness, third, "the outbox is read-only")
        _all_done(witness, third, "the outbox was read-only")
        witness.wait_until_done(empty.name, "the outbox was read-only", Status.FAILED)

        with _unmounted(daemon.outbox, root / "shelf"):
            _drop_and_wait(witness, fourth, "the outbox is not mounted")
            if hidden := list(daemon.outbox.iterdir()):
                witness.violations.append(f"without its mount the outbox got {hidden}")
        _all_done(witness, fourth, "the outbox was not mounted")

        with ballast(daemon.state, 1 << 20):
            _drop_and_wait(witness, fifth, "there is no room for a copy")
            if not (daemon.inbox / fifth.name).exists():
                witness.violations.append(f"{fifth.name} left the inbox without room for a copy")
        _all_done(witness, fifth, "there was no room for a copy")

        _big(root / "big.wav")
        daemon.put(root / "big.wav", "big.wav")
        witness.wait_until_it_waits("big.wav", "too large for the disk")
        lacking = [job["missing_bytes"] for job in daemon.status()["queued"] if job["name"] == "big.wav"]
        if not lacking or not lacking[0]:
            witness.violations.append(f"the status does not say how much room big.wav lacks: {lacking}")
        _all_done(witness, sixth, "a larger one waits", is_dropped=False)
        ask(daemon.socket, {"command": "cancel", "job": "big"}, timeout=PATIENCE_S)
        witness.wait_until_done("big.wav", "cancelled while it waited", Status.CANCELLED)
        return witness.finish("on three disks"), witness.waited


def _drop_and_wait(witness: Witness, clip: Path, where: str) -> None:
    witness.daemon.put(clip, clip.name)
    witness.wait_until_it_waits(clip.name, where)
    if witness.daemon.is_filed(clip.name):
        witness.violations.append(f"{where}: {clip.name} did not wait")


def _all_done(witness: Witness, clip: Path, where: str, *, is_dropped: bool = True) -> None:
    if not is_dropped:
        witness.daemon.put(clip, clip.name)
    witness.wait_until_done(clip.name, where)


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """The mount on this folder is read-only for the block."""
    command("mount", "-o", "remount,bind,ro", folder)
    try:
        yield
    finally:
        command("mount", "-o", "remount,bind,rw", folder)


@contextmanager
def _unmounted(folder: Path, shelf: Path) -> Iterator[None]:
    command("umount", folder)
    try:
        yield
    finally:
        command("mount", "--bind", shelf, folder)


def _big(path: Path) -> None:
    """A recording that can be copied, and whose sound does not fit beside the copy."""
    with wave.open(str(path), "wb") as writer:
        writer.setparams((1, 2, 16_000, 0, "NONE", ""))
        writer.writeframes(bytes(2 * 16_000 * _BIG_SECONDS))
