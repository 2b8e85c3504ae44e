"""The filters, run by an interpreter of the few operations they are made of."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trax.worker.seccomp import _NUMBERS, ALLOW, KILL, REFUSE, When, only, without

MACHINES = {"x86_64": (0xC000_003E, 0), "aarch64": (0xC000_00B7, 1)}
I386 = 0x4000_0003
RULES = {"read": None, "mmap": When(argument=2, without=4), "tgkill": When(argument=0, equal=77)}


def answer(program: bytes, number: int, arguments: tuple[int, ...] = (), architecture: int = MACHINES["x86_64"][0]) -> int:
    data = struct.pack("=IIQ6Q", number, architecture, 0, *arguments, *[0] * (6 - len(arguments)))
    operations = list(struct.iter_unpack("=HBBI", program))
    at, value = 0, 0
    while True:
        code, yes, no, operand = operations[at]
        at += 1
        match code:
            case 0x20:
                (value,) = struct.unpack_from("=I", data, operand)
            case 0x15:
                at += yes if value == operand else no
            case 0x35:
                at += yes if value >= operand else no
            case 0x45:
                at += yes if value & operand else no
            case 0x06:
                return operand
            case _:
                raise AssertionError(f"an operation that no filter needs: {code:#x}")


@pytest.mark.parametrize("machine", MACHINES)
@given(argument=st.integers(0, 2**64 - 1), number=st.integers(0, 600))
def test_only_what_is_named_passes_and_only_as_it_says(machine, argument, number):
    architecture, column = MACHINES[machine]
    read, mmap, tgkill = (_NUMBERS[name][column] for name in RULES)
    passes = {
        read: True,
        mmap: not argument & 4,
        tgkill: argument & 0xFFFF_FFFF == 77,
    }
    program = only(RULES, machine)
    expected = ALLOW if passes.get(number, False) else REFUSE
    assert answer(program, number, (argument, 0, argument), architecture) == expected


@pytest.mark.parametrize("machine", MACHINES)
@given(number=st.integers(0, 600))
def test_what_is_named_is_refused_and_all_else_passes(machine, number):
    architecture, column = MACHINES[machine]
    names = dict.fromkeys(("socket", "execve"))
    refused = {_NUMBERS[name][column] for name in names}
    assert answer(without(names, machine), number, (), architecture) == (REFUSE if number in refused else ALLOW)


@pytest.mark.parametrize("program", [only(RULES, "x86_64"), without({"socket": None}, "x86_64")])
def test_the_other_ways_to_the_same_calls_are_closed(program):
    number = _NUMBERS["read"][0]
    assert answer(program, 0x4000_0000 | number) == REFUSE
    assert answer(program, number, architecture=I386) == KILL


def test_a_machine_without_a_table_is_told():
    with pytest.raises(KeyError):
        only(RULES, "riscv64")
