"""Compiles the C++ kernels once for this machine; the library is kept under a name made of all that it depends on.

It is built under a temporary name and renamed; a file lock keeps a second process from building the same one.
"""

import fcntl
import hashlib
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

from hotloop.errors import HotloopError
from hotloop.machine.cache_folder import cache_folder
from hotloop.machine.installed import find_compiler

SOURCES = ("native.cpp", "passes.h", "rows.h", "simd.h")
_HERE = Path(__file__).parent
_TIMEOUT = 600  # seconds; half a minute is usual, an overloaded machine needs more
# Not -ffast-math: it would let NaN go unseen and reassociate the reduction of the angle.
_FLAGS = ("-std=c++20", "-O3", "-fPIC", "-shared", "-fopenmp", "-fno-math-errno", "-fno-trapping-math", "-w")
_MACHINE_FLAGS = {"x86_64": ("-march=native", "-mprefer-vector-width=512"), "aarch64": ("-mcpu=native",)}


class BuildError(HotloopError):
    """The kernels cannot be compiled here; the message says why and what to do."""


def built_library(
    sources: tuple[str, ...] = SOURCES, *, compiler: str | None = None, folder: Path | None = None
) -> Path:
    """Path of the library for this machine, built now where it is not there yet (about 20 s of CPU time).

    Raises BuildError where there is no compiler, it fails, or the folder cannot be written.
    """
    folder = folder or cache_folder("kernels")
    compiler = compiler or find_compiler(os.environ)
    if not compiler:
        raise BuildError("no C++ compiler found; looked for $CXX, g++, c++ and clang++: install g++")
    command = (compiler, *_FLAGS, *_MACHINE_FLAGS.get(platform.machine(), ()), *_torch_flags())
    try:
        library = folder / library_name(command, sources)
        if library.is_file():
            return library
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with library.with_suffix(".lock").open("w", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # released when this process ends, however it ends
            if not library.is_file():
                _build(command, library, sources[0])
    except OSError as error:
        raise BuildError(
            f"the kernels could not be kept in {folder}: {error}; set HOTLOOP_CACHE to a folder you own"
        ) from error
    return library


def _torch_flags() -> tuple[str, ...]:
    home = Path(torch.__file__).parent
    include = home / "include"
    return (
        "-DAT_PER_OPERATOR_HEADERS",
        f"-D_GLIBCXX_USE_CXX11_ABI={int(torch.compiled_with_cxx11_abi())}",
        *(f"-I{folder}" for folder in (include, include / "torch" / "csrc" / "api" / "include")),
        f"-L{home / 'lib'}",
        f"-Wl,-rpath,{home / 'lib'}",
    )


def library_name(command: tuple[str, ...], sources: tuple[str, ...]) -> str:
    """The name of the library that `command` builds from `sources` with this torch on this processor."""
    compiler = Path(command[0]).resolve().stat()
    parts = [torch.__version__, *command, f"{compiler.st_size} {compiler.st_mtime_ns}", _processor()]
    parts += [(_HERE / name).read_text(encoding="utf-8") for name in sources]
    return f"hotloop-{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()[:24]}.so"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return platform.processor()
    wanted = ("flags", "Features", "model name", "CPU part")
    return "\n".join(sorted({line for line in lines if line.startswith(wanted)}))


def _build(command: tuple[str, ...], library: Path, source: str) -> None:
    with tempfile.TemporaryDirectory(dir=library.parent) as scratch:
        unfinished = Path(scratch) / library.name
        call = [*command, str(_HERE / source), "-o", str(unfinished), "-ltorch_cpu", "-lc10"]
        done = _finished(call, command[0])
        if done.returncode != 0:
            reason = "; ".join(done.stderr.strip().splitlines()[:3]) or f"exit code {done.returncode}"
            raise BuildError(f"{command[0]} failed: {reason}; install a C++20 compiler (g++ 11 or later)")
        _load_elsewhere(unfinished)
        unfinished.replace(library)


def _load_elsewhere(library: Path) -> None:
    # A library that does not fit this torch ends the process that loads it: let that be another one.
    call = [sys.executable, "-c", "import sys, torch; torch.ops.load_library(sys.argv[1])", str(library)]
    done = _finished(call, "loading the built kernels")
    if done.returncode != 0:
        reason = "; ".join(done.stderr.strip().splitlines()[-1:]) or f"exit code {done.returncode}"
        raise BuildError(f"the built kernels cannot be loaded: {reason}; install the compiler that torch was built for")


def _finished(call: list[str], title: str) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(call, capture_output=True, text=True, timeout=_TIMEOUT, check=False)
    except subprocess.TimeoutExpired:
        raise BuildError(f"{title} took more than {_TIMEOUT} s; try again on an idle machine") from None
