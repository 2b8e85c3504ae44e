"""A reader of PyTorch checkpoints that constructs nothing but arrays and plain containers; it needs no torch.

A checkpoint is a pickle, and a pickle is a program: unpickling a file made by somebody else runs what they wrote. Here the program is
first read through without being run (only the instructions that a state dictionary needs are let pass), and then run with every name
it may call replaced by a harmless one of ours. Sizes and offsets are compared with the bytes that are there before anything is taken.

Of a whole checkpoint, as Lightning writes it, other entries can be asked for too. Objects in them are told, as `Described`, and never made:
their classes are only names here, and only names of the packages that such checkpoints are written by are let pass.

Both forms are read: the file of pickles that torch wrote before 1.6 (`_legacy_save` in `torch/serialization.py`) and the zip archive since.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
import struct
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from trax.errors import ModelError

MAX_BYTES: Final = 1 << 30
_MAX_INSTRUCTIONS: Final = 1_000_000
_MAX_DIMENSIONS: Final = 8

_LEGACY_MAGIC: Final = 0x1950A86A20F9469CFC6C
_LEGACY_PROTOCOL: Final = 1001

# What torch.save writes for dictionaries, lists, tuples, numbers, text and tensors. Among the missing: every way to make an instance of a
# class (NEWOBJ, INST, OBJ), extension codes, frames and byte strings.
_INSTRUCTIONS: Final = frozenset(
    {
        "PROTO", "STOP", "MARK", "NONE", "NEWTRUE", "NEWFALSE",
        "BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE",
        "EMPTY_DICT", "EMPTY_LIST", "EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3",
        "APPEND", "APPENDS", "SETITEM", "SETITEMS",
        "BINPUT", "LONG_BINPUT", "BINGET", "LONG_BINGET",
        "GLOBAL", "REDUCE", "BUILD", "BINPERSID",
    }
)

# What Lightning writes besides: its hyper-parameters may be objects. They are never made: see `Described`.
_OF_OBJECTS: Final = frozenset({"NEWOBJ"})
_PACKAGES: Final = frozenset(
    {"collections", "lightning", "lightning_fabric", "numpy", "omegaconf", "pathlib", "pyannote", "pytorch_lightning", "torch", "typing"}
)

_STORAGES: Final[Mapping[str, str]] = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "<i1",
    "ByteStorage": "<u1",
}

# What a malformed program makes the unpickler or our own checks raise.
_MALFORMED = (
    pickle.UnpicklingError,
    zipfile.BadZipFile,
    struct.error,
    EOFError,
    ValueError,
    TypeError,
    IndexError,
    KeyError,
    AttributeError,
    OverflowError,
    RuntimeError,
    MemoryError,
)


@dataclass(frozen=True, slots=True)
class _StorageType:
    """Stands for a class such as torch.FloatStorage. Not callable: a program can only name it."""

    dtype: str


@dataclass(frozen=True, slots=True)
class _Storage:
    """Numbers in a row, somewhere in the file: `count` of them under the name `key`."""

    key: str
    dtype: np.dtype[Any]
    count: int

    @property
    def size(self) -> int:
        """Length in bytes."""
        return self.count * self.dtype.itemsize


@dataclass(frozen=True, slots=True)
class _Tensor:
    """A view on a storage that has been checked to lie inside it."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    #: The axes in the order in which the numbers lie, the slowest first.
    order: tuple[int, ...]


class Described:
    """What stands for an object in a checkpoint: the dotted name of its class, what it was made from, its attributes and items.

    Nothing of that class is run or imported.
    """

    kind = ""

    def __new__(cls, *arguments: object) -> Self:
        """Note the arguments."""
        described = super().__new__(cls)
        described.arguments = arguments
        described.attributes = {}
        described.items = {}
        return described

    arguments: tuple[object, ...]
    attributes: Mapping[str, Any]
    items: dict[Any, Any]

    def __setstate__(self, state: object) -> None:
        self.attributes = state if isinstance(state, dict) else {"state": state}

    def __setitem__(self, key: object, value: object) -> None:
        self.items[key] = value

    def append(self, value: object) -> None:
        """Take an item of a list."""
        self.items[len(self.items)] = value


class _Dictionary(dict[Any, Any]):
    """Stands for collections.OrderedDict; the attributes that torch hangs on it (`_metadata`) are dropped."""

    def __setstate__(self, state: object) -> None:
        pass


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A whole checkpoint: its tensors by name, and the other entries as plain values, `Described` ones among them."""

    state: Mapping[str, NDArray[Any]]
    entries: Mapping[str, Any]


def read_state(data: bytes, key: str | None = "model_state") -> dict[str, NDArray[Any]]:
    """The tensors of a state dictionary in a checkpoint, by name; what is no tensor is left out.

    Args:
        data: the bytes of the checkpoint.
        key: the entry of the checkpoint that holds the state dictionary; None when the checkpoint itself is one.

    Raises:
        ModelError: the bytes are not such a checkpoint, are cut short, contradict themselves, or ask for anything but tensors.
    """
    return _read(data, key, _INSTRUCTIONS)[1]


def read_checkpoint(data: bytes, key: str = "state_dict") -> Checkpoint:
    """A checkpoint as Lightning writes it; `key` is the entry that holds the state dictionary.

    Raises:
        ModelError: as `read_state`; objects are let pass, as long as they are of the packages that write such checkpoints.
    """
    top, state = _read(data, key, _INSTRUCTIONS | _OF_OBJECTS)
    if not isinstance(top, dict):
        raise ModelError("The checkpoint is no dictionary of entries.")
    return Checkpoint(state, {str(name): value for name, value in top.items() if name != key})


def _read(data: bytes, key: str | None, allowed: frozenset[str]) -> tuple[Any, dict[str, NDArray[Any]]]:
    """What the checkpoint's program made, and the tensors of the state dictionary in it."""
    if len(data) > MAX_BYTES:
        raise ModelError(f"The checkpoint has {len(data)} bytes; at most {MAX_BYTES} are read.")
    try:
        read = _read_zip if data.startswith(b"PK\x03\x04") else _read_legacy
        return read(data, key, allowed)
    except _MALFORMED as error:
        raise ModelError(f"This is no PyTorch checkpoint, or a damaged one: {error or type(error).__name__}.") from error


def read_state_file(path: Path, key: str | None = "model_state") -> dict[str, NDArray[Any]]:
    """`read_state` of a file."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ModelError(f"The checkpoint is over {MAX_BYTES} bytes.", file=str(path))
        return read_state(path.read_bytes(), key)
    except OSError as error:
        raise ModelError(f"Could not read the checkpoint: {error.strerror}.", file=str(path)) from error


@dataclass(frozen=True, slots=True)
class _Ran:
    """What one program made, where the next one begins, and the storages it named."""

    value: Any
    end: int
    storages: Mapping[str, _Storage]


def _read_legacy(data: bytes, key: str | None, allowed: frozenset[str]) -> tuple[Any, dict[str, NDArray[Any]]]:
    magic = _run(data, 0, _INSTRUCTIONS)
    protocol = _run(data, magic.end, _INSTRUCTIONS)
    system = _run(data, protocol.end, _INSTRUCTIONS)
    if magic.value != _LEGACY_MAGIC or protocol.value != _LEGACY_PROTOCOL or system.value["little_endian"] is not True:
        raise ModelError("This is no PyTorch checkpoint of a kind Trax reads.")
    top = _run(data, system.end, allowed)
    keys = _run(data, top.end, _INSTRUCTIONS)
    tensors = _tensors(top.value, key)
    wanted = {tensor.storage.key for tensor in tensors.values()}
    found: dict[str, NDArray[Any]] = {}
    at = keys.end
    for name in keys.value:
        storage = top.storages[name]
        count = int.from_bytes(_slice(data, at, 8), "little", signed=True)
        if count != storage.count:
            raise ModelError(f"The checkpoint contradicts itself: storage {name} holds {storage.count} numbers, or {count}.")
        raw = _slice(data, at + 8, storage.size)
        at += 8 + len(raw)
        if name in wanted:
            found[name] = np.frombuffer(raw, storage.dtype)
    return top.value, {name: _view(tensor, found) for name, tensor in tensors.items()}


def _read_zip(data: bytes, key: str | None, allowed: frozenset[str]) -> tuple[Any, dict[str, NDArray[Any]]]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        (program,) = (name for name in archive.namelist() if name.count("/") == 1 and name.endswith("/data.pkl"))
        folder = program.removesuffix("data.pkl")
        if f"{folder}byteorder" in archive.namelist() and _member(archive, f"{folder}byteorder", len("little")) != b"little":
            raise ModelError("The checkpoint was written on a big-endian machine; Trax does not read those.")
        top = _run(_member(archive, program), 0, allowed).value
        tensors = _tensors(top, key)
        storages = {tensor.storage.key: tensor.storage for tensor in tensors.values()}.values()
        if sum(storage.size for storage in storages) > len(data):  # members of a hostile archive can lie on top of each other
            raise ModelError("The checkpoint is cut short, or claims more numbers than it holds.")
        found = {each.key: np.frombuffer(_member(archive, f"{folder}data/{each.key}", each.size), each.dtype) for each in storages}
    return top, {name: _view(tensor, found) for name, tensor in tensors.items()}


def _member(archive: zipfile.ZipFile, name: str, size: int | None = None) -> bytes:
    """The bytes of a member; torch stores them as they are, so a compressed one (which could be a bomb) is refused."""
    entry = archive.getinfo(name)
    if entry.compress_type != zipfile.ZIP_STORED or (size is not None and entry.file_size != size):
        raise ModelError(f"The checkpoint contradicts itself about {name}: {entry.file_size} bytes, compressed or not the {size} it needs.")
    return archive.read(entry)


def _slice(data: bytes, start: int, size: int) -> bytes:
    if size < 0 or start + size > len(data):
        raise ModelError("The checkpoint is cut short, or claims more numbers than it holds.")
    return data[start : start + size]


def _run(data: bytes, start: int, allowed: frozenset[str]) -> _Ran:
    """Check, then run, the program that begins at `start`; `allowed` are the instructions that it may have."""
    source = io.BytesIO(data)
    source.seek(start)
    for count, (instruction, argument, _) in enumerate(pickletools.genops(source)):
        if instruction.name not in allowed:
            raise ModelError(f"The checkpoint does more than describe tensors: it uses the instruction {instruction.name}.")
        # the unpickler makes room for as many remembered values as the highest number it meets
        if count > _MAX_INSTRUCTIONS or (instruction.name == "LONG_BINPUT" and int(argument or 0) > _MAX_INSTRUCTIONS):
            raise ModelError("The checkpoint is too intricate to be a state dictionary.")
    end = source.tell()
    unpickler = _Unpickler(io.BytesIO(data[start:end]), describes=allowed >= _OF_OBJECTS)
    return _Ran(unpickler.load(), end, unpickler.storages)


class _Unpickler(pickle.Unpickler):
    """Knows three kinds of names, none of which exists outside this module; where it `describes`, also stand-ins for classes."""

    def __init__(self, source: io.BytesIO, *, describes: bool) -> None:
        super().__init__(source)
        self._describes = describes
        self.storages: dict[str, _Storage] = {}

    def find_class(self, module: str, name: str) -> Callable[..., Any] | _StorageType:
        if (module, name) == ("collections", "OrderedDict"):
            return lambda: _Dictionary()  # noqa: PLW0108 - a new function each time: a program can set attributes on what it is given
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda storage, offset, shape, strides, *_: _rebuild(storage, offset, shape, strides)
        if module == "torch" and name in _STORAGES:
            return _StorageType(_STORAGES[name])
        if self._describes and module.partition(".")[0] in _PACKAGES:
            return type("Described", (Described,), {"kind": f"{module}.{name}"})
        raise ModelError(f"The checkpoint does more than describe tensors: it asks for {module}.{name}.")

    def persistent_load(self, pid: object) -> _Storage:
        if not isinstance(pid, tuple):
            raise ModelError("The checkpoint describes a storage in a way Trax does not know.")
        kind, storage_type, key, _device, count, *_ = pid
        if kind != "storage" or not isinstance(storage_type, _StorageType) or not isinstance(key, str) or not _is_size(count):
            raise ModelError("The checkpoint describes a storage in a way Trax does not know.")
        storage = _Storage(key, np.dtype(storage_type.dtype), count)
        if self.storages.setdefault(key, storage) != storage:
            raise ModelError(f"The checkpoint contradicts itself about the storage {key}.")
        return storage


def _is_size(value: object) -> bool:
    return type(value) is int and 0 <= value <= MAX_BYTES


def _rebuild(storage: object, offset: object, shape: object, strides: object) -> _Tensor:
    """A tensor's place in its storage. Only tensors whose numbers lie without gaps are taken, in order or with axes exchanged."""
    if not isinstance(storage, _Storage) or not isinstance(offset, int) or not isinstance(shape, tuple) or not isinstance(strides, tuple):
        raise ModelError("The checkpoint describes a tensor in a way Trax does not know.")
    if not all(map(_is_size, (offset, *shape, *strides))) or len(shape) > _MAX_DIMENSIONS or len(strides) != len(shape):
        raise ModelError("The checkpoint describes a tensor of an impossible size.")
    order = tuple(sorted(range(len(shape)), key=lambda axis: (-strides[axis], -shape[axis])))
    lies = [shape[axis] for axis in order]
    has_no_gaps = all(lies[at] == 1 or strides[axis] == math.prod(lies[at + 1 :]) for at, axis in enumerate(order))
    if not has_no_gaps or offset + math.prod(shape) > storage.count:
        raise ModelError(f"The checkpoint describes a tensor that does not lie inside its storage {storage.key}.")
    return _Tensor(storage, offset, shape, order)


def _tensors(top: object, key: str | None) -> dict[str, _Tensor]:
    state = top if key is None or not isinstance(top, dict) else top[key]
    if not isinstance(state, dict):
        raise ModelError("The checkpoint holds no state dictionary where one was expected.")
    return {str(name): value for name, value in state.items() if isinstance(value, _Tensor)}


def _view(tensor: _Tensor, storages: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    values = storages[tensor.storage.key]
    lying = values[tensor.offset : tensor.offset + math.prod(tensor.shape)].reshape([tensor.shape[axis] for axis in tensor.order])
    return lying.transpose(np.argsort(tensor.order))
