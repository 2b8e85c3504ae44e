"""From inside the sandbox, every way out is tried on this kernel."""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from trax.worker.sandbox import LANDLOCK, defences

PRELUDE = """
import ctypes, errno, json, mmap, os, resource, signal, socket, sys, threading
from trax.worker import landlock, sandbox

libc = ctypes.CDLL(None, use_errno=True)
said = {}

def attempt(name, action):
    try:
        result = action()
        said[name] = "done" if result is None else str(result)
    except OSError as error:
        said[name] = errno.errorcode.get(error.errno, str(error.errno))
    except RuntimeError as error:
        said[name] = type(error).__name__

def call(number, *arguments):
    result = libc.syscall(ctypes.c_long(number), *arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), "")
    return result

def sockets():
    for name in ("AF_UNIX", "AF_INET", "AF_INET6", "AF_NETLINK", "AF_PACKET", "AF_ALG", "AF_VSOCK"):
        if family := getattr(socket, name, None):
            attempt(name, lambda: socket.socket(family, socket.SOCK_SEQPACKET if name == "AF_ALG" else socket.SOCK_STREAM).close())

canary = sys.argv[1]
opened = open(canary, "r+b", buffering=0)
parent = os.getppid()
"""

needs_seccomp = pytest.mark.skipif(not defences().seccomp, reason="this kernel or processor has no filter of system calls")
needs_landlock = pytest.mark.skipif(not defences().landlock, reason="this kernel has no Landlock")
needs_x86 = pytest.mark.skipif(platform.machine() != "x86_64", reason="the numbers of the calls are those of x86_64")


def inside(tmp_path: Path, code: str, status: int = 0) -> dict[str, str]:
    canary = tmp_path / "canary"
    canary.write_bytes(b"confidential")
    script = PRELUDE + textwrap.dedent(code) + "\nopened.close()\nprint(json.dumps(said), flush=True)\n"
    if status:
        script += "os.abort()\n"
    done = subprocess.run([sys.executable, "-c", script, str(canary)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == status, done.stderr
    answer: dict[str, str] = json.loads(done.stdout)
    return answer


@needs_seccomp
@needs_x86
def test_every_way_out_of_the_seal_is_closed(tmp_path):
    said = inside(
        tmp_path,
        """
        said["missing"] = str(sandbox.seal(keep=opened.fileno()))
        attempt("read", lambda: opened.read())
        attempt("write", lambda: opened.write(b"!"))
        attempt("allocate", lambda: len(mmap.mmap(-1, 1 << 20)))
        attempt("time itself", lambda: signal.setitimer(signal.ITIMER_PROF, 99))
        attempt("limit itself", lambda: call(302, 0, 0, b"\\0" * 16, 0))
        attempt("open", lambda: open(canary))
        attempt("create", lambda: open(canary + ".new", "w"))
        attempt("old open", lambda: call(2, canary.encode(), 0, 0))
        attempt("openat2", lambda: call(437, -100, canary.encode(), b"\\0" * 24, 24))
        attempt("own memory", lambda: open("/proc/self/mem", "r+b"))
        attempt("stat", lambda: os.stat(canary))
        attempt("list", lambda: os.listdir("/"))
        attempt("unlink", lambda: os.unlink(canary))
        attempt("rename", lambda: os.rename(canary, canary + "2"))
        attempt("link", lambda: os.link(canary, canary + "2"))
        attempt("chmod", lambda: os.fchmod(opened.fileno(), 0o777))
        attempt("truncate", lambda: os.truncate(canary, 0))
        sockets()
        attempt("pair", lambda: socket.socketpair())
        attempt("io_uring", lambda: call(425, 8, b"\\0" * 120))
        attempt("exec", lambda: os.execv("/bin/true", ["true"]))
        attempt("memfd", lambda: os.memfd_create("program"))
        attempt("executable memory", lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC))
        attempt("make executable", lambda: call(10, 0x10000, 4096, 4))
        attempt("fork", os.fork)
        attempt("thread", threading.Thread(target=print).start)
        attempt("kill parent", lambda: os.kill(parent, 0))
        attempt("tgkill parent", lambda: call(234, parent, parent, 0))
        attempt("ptrace", lambda: call(101, 16, parent, 0, 0))
        attempt("read parent", lambda: call(310, parent, 0, 0, 0, 0, 0))
        attempt("limit parent", lambda: resource.prlimit(parent, resource.RLIMIT_CPU))
        attempt("bpf", lambda: call(321, 0, 0, 0))
        attempt("unshare", lambda: call(272, 0x10000000))
        attempt("mount", lambda: call(165, 0, b"/", 0, 0, 0))
        attempt("chroot", lambda: os.chroot("/"))
        attempt("x32", lambda: call(0x40000000 | 39))
        attempt("another filter", lambda: call(317, 1, 0, 0))
        """,
        status=-signal.SIGABRT,  # abort still ends it as it should
    )
    missing = () if defences().landlock else (LANDLOCK,)
    assert {name: said.pop(name) for name in ("missing", "read", "write", "allocate", "time itself")} == {
        "missing": str(missing),
        "read": "b'confidential'",
        "write": "1",
        "allocate": str(1 << 20),
        "time itself": "(0.0, 0.0)",
    }
    assert said.pop("thread") == "RuntimeError"
    assert set(said.values()) == {"EPERM"}, said
    assert (tmp_path / "canary").read_bytes() == b"confidential!"


@needs_landlock
def test_landlock_alone_keeps_files_and_the_network_away(tmp_path):
    said = inside(
        tmp_path,
        """
        sandbox._renounce_new_privileges()
        assert landlock.give_up_access()
        attempt("open", lambda: open(canary))
        attempt("create", lambda: open(canary + ".new", "w"))
        attempt("unlink", lambda: os.unlink(canary))
        attempt("list", lambda: os.listdir("/"))
        attempt("exec", lambda: os.execv("/bin/true", ["true"]))
        attempt("read", lambda: opened.read())
        if landlock.version() >= 4:
            attempt("connect", lambda: socket.create_connection(("127.0.0.1", 9), timeout=5))
        if landlock.version() >= 6:
            attempt("kill parent", lambda: os.kill(parent, 0))
        """,
    )
    assert said.pop("read") == "b'confidential'"
    assert set(said.values()) <= {"EACCES", "EPERM"}, said


@needs_seccomp
def test_a_worker_keeps_its_files_and_threads_and_loses_the_network_and_others(tmp_path):
    said = inside(
        tmp_path,
        """
        sandbox.renounce()
        sockets()
        attempt("exec", lambda: os.execv("/bin/true", ["true"]))
        attempt("kill parent", lambda: os.kill(parent, 0))
        attempt("setuid programs", lambda: None if "NoNewPrivs:\\t1" in open("/proc/self/status").read() else os.kill(parent, 0))
        said.update(dict.fromkeys(("files", "thread"), "missing"))
        attempt("files", lambda: open(canary).read())
        attempt("thread", threading.Thread(target=lambda: None).start)
        """,
    )
    assert [said.pop(name) for name in ("files", "thread", "setuid programs")] == ["confidential", "done", "done"]
    assert set(said.values()) == {"EPERM"}, said


def test_the_decoder_is_sealed_while_it_decodes(tmp_path):
    hours = tmp_path / "hours.wav"
    header = b"RIFF" + b"\xff" * 4 + b"WAVEfmt " + (16).to_bytes(4, "little") + bytes.fromhex("0100010080bb000000770100" "02001000")
    hours.write_bytes(header + b"data" + b"\xff" * 4)
    os.truncate(hours, 2_000_000_000)
    with hours.open("rb") as reader, (tmp_path / "out").open("wb") as writer:
        argv = [sys.executable, "-I", "-m", "trax.worker.decode", f"--output-fd={writer.fileno()}", "--extension=.wav"]
        argv += [f"--memory-bytes={512 << 20}", "--cpu-seconds=60", f"--output-bytes={2 << 30}"]
        child = subprocess.Popen(argv, stdin=reader, stdout=subprocess.PIPE, pass_fds=[writer.fileno()], env={})
        try:
            assert child.stdout is not None
            assert json.loads(child.stdout.readline())["event"] == "progress"
            status = dict(line.split(":\t", 1) for line in Path(f"/proc/{child.pid}/status").read_text().splitlines() if ":\t" in line)
            assert Path(f"/proc/{child.pid}/environ").read_bytes() == b""
            assert (status["Threads"], status["NoNewPrivs"]) == ("1", "1")
            assert status["Seccomp"] == ("2" if defences().seccomp else "0")
        finally:
            child.kill()
            child.communicate()
