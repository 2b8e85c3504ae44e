"""Everything durable is written by `trax.files`, whose operations the crash tests know.

What of the rest calls functions of `os` or `shutil` is found by ruff (banned-api in pyproject.toml); what writes in other ways, here.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

TRAX = Path(__file__).resolve().parent.parent / "trax"
HOUSE = {TRAX / "files.py", TRAX / "disk.py"}
#: Methods of Path that change what is on the disk; `replace` is told from that of strings and dataclasses by its single argument.
CHANGES = {"write_text", "write_bytes", "unlink", "rename", "rmdir", "symlink_to", "hardlink_to", "touch", "mkdir", "chmod"}
WRITING = {"O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC", "O_APPEND"}
#: Changes outside `trax.files`, with why nothing of Trax's is lost with them.
ALLOWED = {
    ("service/control.py", "unlink"): "a socket holds nothing, and is made anew at each start",
    ("service/control.py", "chmod"): "a socket holds nothing, and is made anew at each start",
    ("cli/main.py", "os.open"): "/dev/null in place of a closed standard output",
    ("worker/protocol.py", "open"): "the pipe to the supervisor",
    ("worker/memory.py", "write_text"): "a wish to the kernel, in /proc",
    ("worker/engine.py", "write_text"): "the unpacked source of whisper.cpp, which is compiled and thrown away",
    ("worker/calibrating.py", "open"): "decoded sound, which is removed when it was heard",
    ("worker/tools.py", "open"): "the standard output, for the caller",
    ("service/daemon.py", "touch"): "not a Path: the inbox is told of an event",
    ("service/receiving.py", "touch"): "not a Path: the inbox is told of an event",
}


def _names(node: ast.AST) -> set[str]:
    return {each.attr for each in ast.walk(node) if isinstance(each, ast.Attribute)}


def _writes(call: ast.Call) -> str | None:
    """What a call changes on the disk by, if it does."""
    match call.func:
        case ast.Attribute(value=ast.Name(id="files")):
            return None
        case ast.Attribute(value=ast.Name(id="os"), attr="open"):
            return "os.open" if WRITING & _names(call) else None
        case ast.Name(id="open"):
            mode = call.args[1:2]
        case ast.Attribute(attr="open" | "fdopen"):
            mode = call.args[-1:]
        case ast.Attribute(attr=name) if name in CHANGES or (name == "replace" and len(call.args) == 1 and not call.keywords):
            return name
        case _:
            return None
    mode += [keyword.value for keyword in call.keywords if keyword.arg == "mode"]
    letters = {letter for each in mode if isinstance(each, ast.Constant) and isinstance(each.value, str) for letter in each.value}
    return "open" if letters & set("wax+") and letters <= set("rwaxbt+") else None


def _calls(path: Path) -> Iterator[ast.Call]:
    return (node for node in ast.walk(ast.parse(path.read_bytes())) if isinstance(node, ast.Call))


def test_nothing_is_written_past_files():
    found = Counter(
        (str(path.relative_to(TRAX)), change)
        for path in sorted(TRAX.rglob("*.py"))
        if path not in HOUSE
        for call in _calls(path)
        if (change := _writes(call))
    )
    assert set(found) == set(ALLOWED), "write through trax.files, or say in ALLOWED why it need not be durable"


def test_every_change_that_files_makes_is_told_to_the_observer():
    """The crash tests know of an operation what `tell` says: one that is forgotten there would not be tried."""
    for function in (node for path in HOUSE for node in ast.walk(ast.parse(path.read_bytes()))):
        if isinstance(function, ast.FunctionDef):
            calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
            told = sum(isinstance(call.func, ast.Name) and call.func.id == "tell" for call in calls)
            changed = sum(_writes(call) is not None or _is_banned(call) for call in calls)
            if function.name == "locked":
                continue  # an empty file that says nothing by being there
            assert told or not changed, f"{function.name} tells of none of its {changed} changes"


def _is_banned(call: ast.Call) -> bool:
    changes = {"link", "fsync", "rename", "replace", "unlink", "mkdir", "rmdir", "chown"}
    return isinstance(call.func, ast.Attribute) and call.func.attr in changes


def test_the_look_finds_what_it_looks_for():
    writes = "path.write_text('x'); path.replace(other); open(path, 'w'); path.open('xb'); os.open(path, os.O_RDWR); path.open(mode='a')"
    reads = "text.replace('a', 'b'); replace(job, stage=None); open(path); path.open('rb'); os.open(path, os.O_RDONLY); files.rename(a, b)"
    assert all(_writes(call) for call in _statements(writes))
    assert not any(_writes(call) for call in _statements(reads))


def _statements(source: str) -> list[ast.Call]:
    return [call for each in ast.parse(source).body if isinstance(each, ast.Expr) and isinstance(call := each.value, ast.Call)]
