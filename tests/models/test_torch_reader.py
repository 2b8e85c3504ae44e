"""Checkpoints are written here instruction by instruction, so that they can also be made to lie."""

import io
import os
import pickle
import struct
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from trax.errors import ModelError
from trax.models.torch_reader import read_state, read_state_file

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


FORMS = pytest.mark.parametrize("form", [legacy, zipped])
WEIGHT = np.arange(12, dtype=np.float32).reshape(3, 4)
VALID = legacy(checkpoint(dictionary({"weight": tensor("0", WEIGHT), "note": text("no tensor")})), [WEIGHT])
VALID_ZIP = zipped(checkpoint(dictionary({"weight": tensor("0", WEIGHT)})), [WEIGHT])

arrays = st.sampled_from(sorted(STORAGES)).flatmap(lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=3, max_side=4)))


@FORMS
@given(state=st.dictionaries(st.text("abc.", min_size=1), arrays, max_size=4))
@settings(max_examples=40, deadline=None)
def test_every_tensor_of_a_state_comes_back(form, state):
    entries = {name: tensor(str(number), array) for number, (name, array) in enumerate(state.items())}
    found = read_state(form(checkpoint(dictionary(entries)), list(state.values())))
    assert found.keys() == state.keys()
    for name, array in state.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


@FORMS
def test_a_state_may_be_the_whole_checkpoint_and_tensors_may_share_a_storage(form):
    entries = {"all": tensor("0", WEIGHT), "row": tensor("0", WEIGHT, offset=4, shape=(4,), strides=(1,))}
    found = read_state(form(program(dictionary(entries)), [WEIGHT]), key=None)
    np.testing.assert_array_equal(found["all"], WEIGHT)
    np.testing.assert_array_equal(found["row"], WEIGHT[1])


class RunsACommand:
    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


@FORMS
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_that_runs_a_command_is_refused_and_does_not_run_it(form, protocol, tmp_path):
    attack = pickle.dumps({"model_state": RunsACommand(f"touch {tmp_path}/owned")}, protocol)
    with pytest.raises(ModelError):
        read_state(form(attack, []))
    assert list(tmp_path.iterdir()) == []


def test_a_command_in_any_of_the_programs_of_a_file_is_refused(tmp_path):
    attack = pickle.dumps(RunsACommand(f"touch {tmp_path}/owned"), 2)
    for place in range(5):
        parts = [pickle.dumps(value, 2) for value in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}, {"model_state": {}}, [])]
        parts[place] = attack
        with pytest.raises(ModelError, match=r"asks for posix\.system"):
            read_state(b"".join(parts))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["builtins\neval", "builtins\ngetattr", "torch._utils\n_rebuild_parameter", "trax.files\ncopy"])
def test_a_name_outside_the_list_is_refused(name):
    with pytest.raises(ModelError, match="asks for"):
        read_state(legacy(checkpoint(f"c{name}\n".encode() + b")R"), []))


@pytest.mark.parametrize(
    "lie",
    [
        {"count": 11},
        {"count": 1 << 40},
        {"count": -1},
        {"offset": 1},
        {"offset": -1},
        {"shape": (1 << 20, 1 << 20), "strides": (0, 0)},
        {"shape": (3, 5), "strides": (5, 1)},
        {"shape": (-3, 4)},
        {"strides": (4,)},
        {"strides": (-4, 1)},
        {"strides": (1, 3)},
    ],
)
@FORMS
def test_a_tensor_that_lies_about_its_place_is_refused(form, lie):
    with pytest.raises(ModelError):
        read_state(form(checkpoint(dictionary({"weight": tensor("0", WEIGHT, **lie)})), [WEIGHT]))


@pytest.mark.parametrize("count", [-1, 0, 11, 13, 1 << 62])
def test_a_storage_that_lies_about_its_size_is_refused(count):
    with pytest.raises(ModelError):
        read_state(legacy(checkpoint(dictionary({"weight": tensor("0", WEIGHT)})), [WEIGHT], counts=[count]))


def test_a_compressed_archive_is_refused():
    with pytest.raises(ModelError, match="compressed"):
        read_state(zipped(checkpoint(dictionary({"weight": tensor("0", WEIGHT)})), [WEIGHT], zipfile.ZIP_DEFLATED))


def test_a_program_that_asks_for_endless_memory_is_refused():
    with pytest.raises(ModelError, match="intricate"):
        read_state(legacy(program(b"Nr" + struct.pack("<I", 0xFFFFFFF0)), []))


@pytest.mark.parametrize("whole", [VALID, VALID_ZIP])
def test_a_checkpoint_cut_short_anywhere_is_refused(whole):
    for length in range(len(whole)):
        with pytest.raises(ModelError):
            read_state(whole[:length])


@given(data=st.data(), whole=st.sampled_from([VALID, VALID_ZIP]))
@settings(max_examples=300, deadline=None)
def test_a_damaged_checkpoint_gives_arrays_or_an_error_of_ours(data, whole):
    damaged = bytearray(whole)
    for at in data.draw(st.lists(st.integers(0, len(whole) - 1), min_size=1, max_size=4)):
        damaged[at] = data.draw(st.integers(0, 255))
    try:
        found = read_state(bytes(damaged))
    except ModelError:
        return
    assert all(isinstance(value, np.ndarray) for value in found.values())


def test_a_missing_file_and_one_that_is_no_checkpoint_are_told_apart(tmp_path):
    with pytest.raises(ModelError, match="Could not read"):
        read_state_file(tmp_path / "absent.pt")
    (tmp_path / "text.pt").write_bytes(b"\xffRIFF")
    with pytest.raises(ModelError, match="no PyTorch checkpoint"):
        read_state_file(tmp_path / "text.pt")
