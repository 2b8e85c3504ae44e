"""What is no state dictionary is refused, whatever it asks for."""

import os
import pickle
import struct
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch_files import STORAGES, checkpoint, dictionary, instance, legacy, program, tensor, text, zipped

from trax.errors import ModelError
from trax.models.torch_reader import Described, read_checkpoint, read_state, read_state_file

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


@FORMS
@given(array=hnp.arrays("<f4", hnp.array_shapes(min_dims=2, max_dims=4, max_side=4)), data=st.data())
@settings(max_examples=40, deadline=None)
def test_a_tensor_whose_axes_were_exchanged_comes_back(form, array, data):
    turned = array.transpose(data.draw(st.permutations(range(array.ndim))))
    found = read_state(form(checkpoint(dictionary({"weight": tensor("0", turned)})), [array]))
    np.testing.assert_array_equal(found["weight"], turned)


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
        {"strides": (1, 4)},
        {"strides": (2, 6)},
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


@FORMS
def test_objects_in_a_whole_checkpoint_are_told_and_not_made(form):
    problem = instance("pyannote.audio.core.task", "Problem", text("mono"))
    entries = {
        "state_dict": dictionary({"weight": tensor("0", WEIGHT)}),
        "told": b"}(" + text("it") + problem + text("loads") + b"ctorch.hub\nload\n" + b"(" + text("somebody/else") + b"t" + b"R" + b"u",
    }
    found = read_checkpoint(form(program(dictionary(entries)), [WEIGHT]))
    np.testing.assert_array_equal(found.state["weight"], WEIGHT)
    it, loads = found.entries["told"]["it"], found.entries["told"]["loads"]
    assert isinstance(it, Described)
    assert (it.kind, it.arguments) == ("pyannote.audio.core.task.Problem", ("mono",))
    assert isinstance(loads, Described), "torch.hub.load was noted, and nothing was loaded"
    with pytest.raises(ModelError):
        read_state(form(program(dictionary(entries)), [WEIGHT]), "state_dict")


@FORMS
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_command_in_a_whole_checkpoint_is_refused_and_does_not_run(form, protocol, tmp_path):
    attack = pickle.dumps({"state_dict": {}, "hyper_parameters": {"lstm": RunsACommand(f"touch {tmp_path}/owned")}}, protocol)
    with pytest.raises(ModelError):
        read_checkpoint(form(attack, []))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["builtins\neval", "builtins\ngetattr", "os\nsystem", "trax.files\ncopy", "torchy\nrun"])
def test_a_whole_checkpoint_may_not_name_what_it_likes(name):
    with pytest.raises(ModelError, match="asks for"):
        read_checkpoint(legacy(program(dictionary({"state_dict": b"}", "hyper_parameters": f"c{name}\n".encode() + b")R"})), []))


def test_a_missing_file_and_one_that_is_no_checkpoint_are_told_apart(tmp_path):
    with pytest.raises(ModelError, match="Could not read"):
        read_state_file(tmp_path / "absent.pt")
    (tmp_path / "text.pt").write_bytes(b"\xffRIFF")
    with pytest.raises(ModelError, match="no PyTorch checkpoint"):
        read_state_file(tmp_path / "text.pt")
