"""Putting a job's outputs into the outbox: all or, until the JSON is there, nothing that claims to be complete.

The files are written and synced in a side folder of the outbox, then renamed into place, the JSON last: a JSON in the outbox means
that everything it names is there. What a job may replace is known by hash from its manifest, which is durable before the first
rename: so a retry replaces its own outputs, and neither another recording's nor a person's corrections are ever overwritten. Two
recordings may well have the same subtitles to the byte: the files of a name belong to whoever's JSON lies there.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from trax import files
from trax.errors import StorageError
from trax.intake.names import printable
from trax.jobs.outputs import ENDINGS, ERROR_ENDING, RESULT_ENDING, SIDE_FOLDER, in_outbox

MANIFEST_FILE = "published.json"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What one run of a job puts into the outbox: path relative to the outbox → SHA-256.

    `former` is what earlier runs of the job may have left there: such files are replaced or removed. `run` tells runs apart.
    """

    run: str = ""
    name: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    former: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def hashes(self, relative: str) -> frozenset[str]:
        """The hashes that say the job itself put a file there."""
        own = self.files.get(relative)
        return self.former.get(relative, frozenset()) | (frozenset() if own is None else {own})

    @property
    def all_hashes(self) -> dict[str, frozenset[str]]:
        """`hashes` of every path."""
        return {relative: self.hashes(relative) for relative in {*self.files, *self.former}}


def read_manifest(folder: Path) -> Manifest:
    """The manifest in a job's folder; an empty one when there is none or it cannot be read."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        plain = json.loads((folder / MANIFEST_FILE).read_bytes())
        former = {path: frozenset(str(each) for each in hashes) for path, hashes in plain["former"].items()}
        return Manifest(str(plain["run"]), str(plain["name"]), {path: str(own) for path, own in plain["files"].items()}, former)
    return Manifest()


def _write_manifest(folder: Path, manifest: Manifest) -> None:
    plain = {
        "run": manifest.run,
        "name": manifest.name,
        "files": dict(manifest.files),
        "former": {path: sorted(hashes) for path, hashes in manifest.former.items()},
    }
    files.write_bytes(folder / MANIFEST_FILE, json.dumps(plain, sort_keys=True).encode())


def is_published(outbox: Path, folder: Path, run: str) -> bool:
    """Whether the whole transcript, not the answer to a failure, that this run of the job publishes is in the outbox."""
    manifest = read_manifest(folder)
    is_transcript = bool(manifest.files) and not any(path.endswith(ERROR_ENDING) for path in manifest.files)
    return manifest.run == run and is_transcript and all(_is(outbox / path, {sha}) for path, sha in manifest.files.items())


def _is(path: Path, hashes: frozenset[str] | set[str]) -> bool:
    """Whether a regular file lies there whose bytes have one of these hashes; what may not be read is nothing the job put there."""
    with contextlib.suppress(OSError):
        return bool(hashes) and path.is_file() and not path.is_symlink() and files.sha256_of(path) in hashes
    return False


def is_unchanged(path: Path, sha256: str) -> bool:
    """Whether what lies there is to the byte what was published."""
    return _is(path, {sha256})


def _still_own(outbox: Path, published: Mapping[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    """What of all that the job ever published is its own now: not what lies beside the JSON of another, even when it says the same."""

    def is_others(relative: str) -> bool:
        answers = (_stem(relative) + ending for ending in (RESULT_ENDING, ERROR_ENDING))
        return any(os.path.lexists(outbox / each) and not _is(outbox / each, published.get(each, frozenset())) for each in answers)

    return {relative: hashes for relative, hashes in published.items() if not is_others(relative)}


def _stem(relative: str) -> str:
    """The name an output goes by."""
    return min((relative.removesuffix(ending) for ending in ENDINGS), key=len)


def _is_taken(outbox: Path, name: str, own: Mapping[str, frozenset[str]]) -> bool:
    """Whether any output under this name is there that the job may not replace."""
    return any(not _is(outbox / each, own.get(each, frozenset())) for each in in_outbox(outbox, name))


def withdraw(outbox: Path, manifest: Manifest, name: str, names_of_others: Container[str]) -> tuple[str, ...]:
    """Remove, durably, all that the outbox holds under the names of a job, `name` and those of its manifest: corrected or not.

    What goes by the name of another job by now is that one's, unless it is to the byte what this one put there. Returns what it removed,
    relative to the outbox. Raises StorageError.
    """
    published = manifest.all_hashes
    names = {name, *map(_stem, published)} - {""}
    removed = []
    for relative in sorted({*published, *(each + ending for each in names for ending in ENDINGS)}):
        is_own = _stem(relative) not in names_of_others or _is(outbox / relative, published.get(relative, frozenset()))
        if is_own and _remove_if_there(outbox / relative):
            removed.append(relative)
    for each in names:  # the subfolders of the outbox carry the names of those of the inbox
        folders = [outbox / folder for folder in Path(each).parents][:-1]
        all(files.remove_if_empty(folder) for folder in folders)
    return tuple(removed)


def _remove_if_there(path: Path) -> bool:
    is_there = os.path.lexists(path) and (path.is_symlink() or not path.is_dir())
    if is_there:
        files.remove(path)
    return is_there


@dataclass(frozen=True, slots=True)
class Staged:
    """Outputs written and synced in the side folder of an outbox, not published yet: ending → SHA-256, the JSON last."""

    folder: Path
    hashes: Mapping[str, str]

    def path(self, ending: str) -> Path:
        """Where the output with this ending waits."""
        return self.folder / f"output{ending}"


def stage(outbox: Path, job: str, outputs: Mapping[str, Iterable[bytes]]) -> Staged:
    """Write `outputs` (ending → pieces of bytes, the JSON last) where a rename publishes them. Raises StorageError."""
    folder = outbox / SIDE_FOLDER / job
    files.remove_tree(folder)
    files.make_folder(folder)
    staged = Staged(folder, {})
    hashes = {ending: _write(staged.path(ending), pieces) for ending, pieces in outputs.items()}
    return Staged(folder, hashes)


def _write(path: Path, pieces: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    with files.replacing(path) as handle:
        for piece in pieces:
            digest.update(piece)
            handle.write(piece)
    return digest.hexdigest()


def _where_a_rename_leads_to(parent: Path, staged: Staged) -> Staged:
    """The staged outputs on the file system of `parent`, which may be a mount within the outbox: no rename leads from one to another."""
    if parent.stat().st_dev == staged.folder.stat().st_dev:
        return staged
    beside = Staged(parent / SIDE_FOLDER / staged.folder.name, staged.hashes)
    files.make_folder(beside.folder)
    for ending in staged.hashes:
        files.copy(staged.path(ending), beside.path(ending))
    files.remove_tree(staged.folder)
    return beside


def publish(
    outbox: Path,
    folder: Path,
    run: str,
    staged: Staged,
    choose_name: Callable[[Callable[[str], bool]], str],
) -> Manifest:
    """Publish what was staged and remove what the job, whose folder is `folder`, published before and does not any more.

    `choose_name` gets a function that tells whether a name is taken in the outbox and returns the one to use. Durable on
    return; when killed in between, staging and publishing again ends in the same state. Raises StorageError.
    """
    own = _still_own(outbox, read_manifest(folder).all_hashes)
    name = choose_name(lambda wanted: _is_taken(outbox, wanted, own))
    parent = (outbox / name).parent
    files.make_folder(parent)
    if not parent.is_dir():
        what = "A file lies where this folder of the outbox must be."
        raise StorageError(what, file=printable(str(parent)), advice="Move or rename that file; Trax goes on by itself.")
    targets = {f"{name}{ending}": ending for ending in staged.hashes}
    replaced = {relative for relative in targets if os.path.lexists(outbox / relative)}
    hashes = {relative: staged.hashes[ending] for relative, ending in targets.items()}
    _write_manifest(folder, Manifest(run, name, hashes, own))

    # The former JSON goes before anything it names changes, and all that goes does before the JSON comes, which says that all is done.
    last = [*targets][-1]
    for relative in sorted(own, key=lambda relative: not relative.endswith(RESULT_ENDING)):
        if (relative not in targets or relative == last) and _is(outbox / relative, own[relative]):
            files.remove(outbox / relative)
            replaced.discard(relative)
    staged = _where_a_rename_leads_to(parent, staged)
    placed: list[str] = []
    for relative, ending in targets.items():
        try:
            (files.rename if relative in replaced else files.rename_new)(staged.path(ending), outbox / relative)
        except FileExistsError:  # somebody took the name in the meantime
            for each in placed:
                files.rename(outbox / each, staged.path(targets[each]))
            return publish(outbox, folder, run, staged, choose_name)
        placed.append(relative)
    files.remove_tree(staged.folder)
    if staged.folder.parent != outbox / SIDE_FOLDER:
        files.remove_if_empty(staged.folder.parent)

    manifest = Manifest(run, name, hashes)
    _write_manifest(folder, manifest)
    return manifest
