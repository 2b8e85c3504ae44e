from __future__ import annotations

import json
import os
from dataclasses import replace

import pytest
from own_build import put_build, write_note

from trax.asr import native
from trax.asr.library import Library, wheel
from trax.asr.native import Build, Processor

PROCESSOR = Processor("Xeon, stepping 1", ("avx2", "fma"))
BUILD = Build("whisper.so", "0" * 64, "pywhispercpp 1.5.1", "native", PROCESSOR, ".cpython-311.so", "GNU 12", "2026-11-28", (2.0, 1.0))
INTEL = "processor : 0\nmodel name\t: Xeon\nstepping : 1\nflags : fma avx2\n\nprocessor : 1\nmodel name : Other\nflags : none\n"
ARM = "processor\t: 0\nFeatures\t: fp asimd\nCPU implementer\t: 0x41\nCPU variant\t: 0x3\nCPU part\t: 0xd0c\n"


def test_without_a_build_the_wheels_is_used(tmp_path):
    assert native.chosen(tmp_path / "engine") == native.Choice(wheel())
    assert Library.from_plain({}) == wheel()


def test_a_build_that_fits_is_used(tmp_path):
    build = put_build(tmp_path / "engine")
    choice = native.chosen(tmp_path / "engine")
    assert choice.refusal is None
    assert choice.library == Library(build.package, "copied", build.sha256, str(tmp_path / "engine" / build.file))
    assert Library.from_plain(json.loads(json.dumps(choice.library.to_plain()))) == choice.library


@pytest.mark.parametrize(
    ("package", "python", "processor", "said"),
    [
        ("pywhispercpp 1.5.2", BUILD.python, PROCESSOR, "1.5.2 is installed now"),
        (BUILD.package, ".cpython-312.so", PROCESSOR, "another Python"),
        (BUILD.package, BUILD.python, Processor("EPYC", PROCESSOR.features), "another processor"),
        (BUILD.package, BUILD.python, Processor(PROCESSOR.name, ("avx2",)), "has fma, which this one lacks"),
    ],
)
def test_a_build_for_anything_else_does_not_fit(package, python, processor, said):
    assert said in str(native.unfit(BUILD, package, python, processor))


def test_a_processor_that_has_more_is_fit():
    assert native.unfit(BUILD, BUILD.package, BUILD.python, Processor(PROCESSOR.name, ("avx2", "fma", "new"))) is None


def test_processors_are_told_apart_by_what_the_kernel_says():
    assert native.processor_of(INTEL) == Processor("Xeon, stepping 1", ("avx2", "fma"))
    assert native.processor_of(ARM) == Processor("cpu implementer 0x41, cpu part 0xd0c, cpu variant 0x3", ("asimd", "fp"))


def test_a_note_survives_being_written():
    assert Build.from_plain(json.loads(json.dumps(BUILD.to_plain()))) == BUILD


def damage_note(folder, build):
    (folder / native.NOTE).write_text("{")


def lead_elsewhere(folder, build):
    plain = build.to_plain() | {"file": "../elsewhere.so"}
    (folder / native.NOTE).write_text(json.dumps(plain))


def change_file(folder, build):
    with (folder / build.file).open("ab") as handle:
        handle.write(b"more")


def remove_file(folder, build):
    (folder / build.file).unlink()


def link_file(folder, build):
    (folder / build.file).rename(folder / "real")
    (folder / build.file).symlink_to("real")


def open_file_to_the_group(folder, build):
    (folder / build.file).chmod(0o664)


def open_folder_to_all(folder, build):
    folder.chmod(0o757)


def put_what_is_no_module(folder, build):
    (folder / build.file).write_bytes(b"no module")
    write_note(folder, replace(build, sha256=native.files.sha256_of(folder / build.file)))


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (damage_note, "damaged"),
        (lead_elsewhere, "damaged"),
        (change_file, "has changed"),
        (remove_file, "cannot be loaded"),
        (link_file, "not a regular file"),
        (open_file_to_the_group, "may write"),
        (open_folder_to_all, "may write"),
        (put_what_is_no_module, "cannot be loaded"),
    ],
)
def test_a_build_that_is_not_as_it_was_verified_is_not_used_and_why_is_said(tmp_path, harm, said):
    folder = tmp_path / "engine"
    harm(folder, put_build(folder))
    choice = native.chosen(folder)
    assert choice.library == wheel()
    assert said in choice.refusal


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to somebody else")
def test_what_belongs_to_somebody_else_is_not_used(tmp_path):
    folder = tmp_path / "engine"
    build = put_build(folder)
    os.chown(folder / build.file, 12345, -1)
    assert "another user" in native.chosen(folder).refusal


def test_a_build_that_another_version_needs_is_not_used(tmp_path):
    build = put_build(tmp_path / "engine", package="pywhispercpp 0.9")
    assert native.read(tmp_path / "engine") == replace(build, package="pywhispercpp 0.9")
    assert "0.9" in native.chosen(tmp_path / "engine").refusal
