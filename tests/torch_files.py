"""PyTorch checkpoints written instruction by instruction, so that they can also be made to lie."""

import io
import pickle
import struct
import zipfile

import numpy as np

STORAGES = {"<f8": "DoubleStorage", "<f4": "FloatStorage", "<f2": "HalfStorage", "<i8": "LongStorage", "|u1": "ByteStorage"}
EMPTY_ORDERED = b"ccollections\nOrderedDict\n)R"


def integer(value: int) -> bytes:
    return pickle.dumps(value, 2)[2:-1]


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def group(*items: bytes) -> bytes:
    return b"(" + b"".join(items) + b"t"


def program(body: bytes) -> bytes:
    return b"\x80\x02" + body + b"."


def tensor(key: str, array: np.ndarray, *, count=None, offset=0, shape=None, strides=None) -> bytes:
    shape = array.shape if shape is None else shape
    strides = [each // array.itemsize for each in array.strides] if strides is None else strides
    kind = b"ctorch\n" + STORAGES[array.dtype.str].encode() + b"\n"
    storage = group(text("storage"), kind, text(key), text("cpu"), integer(array.size if count is None else count), b"N") + b"Q"
    sizes = [group(*map(integer, shape)), group(*map(integer, strides))]
    return b"ctorch._utils\n_rebuild_tensor_v2\n" + group(storage, integer(offset), *sizes, b"\x89", EMPTY_ORDERED) + b"R"


def dictionary(entries: dict[str, bytes]) -> bytes:
    return EMPTY_ORDERED + b"(" + b"".join(text(key) + value for key, value in entries.items()) + b"u"


def checkpoint(state: bytes) -> bytes:
    return program(b"}(" + text("step") + integer(7) + text("model_state") + state + b"u")


def legacy(top: bytes, arrays: list[np.ndarray], *, counts=None) -> bytes:
    system = pickle.dumps({"protocol_version": 1001, "little_endian": True, "type_sizes": {}}, 2)
    keys = pickle.dumps([str(number) for number in range(len(arrays))], 2)
    counts = [array.size for array in arrays] if counts is None else counts
    raw = b"".join(struct.pack("<q", count) + array.tobytes() for count, array in zip(counts, arrays, strict=True))
    return pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2) + system + top + keys + raw


def zipped(top: bytes, arrays: list[np.ndarray], method: int = zipfile.ZIP_STORED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        archive.writestr("archive/data.pkl", top)
        archive.writestr("archive/byteorder", "little")
        for number, array in enumerate(arrays):
            archive.writestr(f"archive/data/{number}", array.tobytes())
    return made.getvalue()


def instance(module: str, name: str, *arguments: bytes, state: bytes | None = None) -> bytes:
    """An object of a class, made as pickle makes it, and given its attributes."""
    made = f"c{module}\n{name}\n".encode() + group(*arguments) + b"\x81"
    return made if state is None else made + state + b"b"
