"""Compiles the C++ kernels once for this machine and keeps the library in the user's cache folder.

A library is named by everything it depends on: sources, torch, processor, compiler and flags. It is built under a
temporary name and renamed, so that a reader never sees half of one; a file lock keeps a second process from building
the same one beside the first.
"""

import contextlib
import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path

import torch

from hotloop.errors import HotloopError

SOURCES = ("native.cpp", "passes.h", "rows.h", "simd.h")
_HERE = Path(__file__).parent
_TIMEOUT = 600  # seconds; half a minute is usual, an overloaded machine needs more
# Not -ffast-math: it would let NaN go unseen and reassociate the reduction of the angle.
_FLAGS = ("-std=c++20", "-O3", "-fPIC", "-shared", "-fopenmp", "-fno-math-errno", "-fno-trapping-math", "-w")
_MACHINE_FLAGS = {"x86_64": ("-march=native", "-mprefer-vector-width=512"), "aarch64": ("-mcpu=native",)}


class BuildError(HotloopError):
    """The kernels cannot be compiled here; the message says why and what to do."""


def find_compiler() -> str:
    """Path of the C++ compiler: $CXX, else g++, else clang++. Raises BuildError where there is none."""
    for name in (os.environ.get("CXX", ""), "g++", "clang++"):
        path = shutil.which(name) if name else None
        if path:
            return path
    raise BuildError("no C++ compiler found; looked for $CXX, g++ and clang++: install g++")


def cache_folder() -> Path:
    """Where built libraries are kept: $HOTLOOP_CACHE, else hotloop/ in $XDG_CACHE_HOME or ~/.cache."""
    chosen = os.environ.get("HOTLOOP_CACHE")
    if chosen:
        return Path(chosen) / "kernels"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hotloop" / "kernels"


def built_library(compiler: str, folder: Path, sources: tuple[str, ...] = SOURCES) -> Path:
    """Path of the library for this machine in `folder`, built now where it is not there yet (about 20 s of CPU time).

    Raises BuildError where the compiler fails or the folder cannot be written.
    """
    command = (compiler, *_FLAGS, *_MACHINE_FLAGS.get(platform.machine(), ()), *_torch_flags())
    try:
        library = folder / f"hotloop-{_key(command, sources)}.so"
        if library.is_file():
            return library
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _alone(library.with_suffix(".lock")):
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


def _key(command: tuple[str, ...], sources: tuple[str, ...]) -> str:
    parts = [torch.__version__, *command, _version(command[0]), _processor()]
    parts += [(_HERE / name).read_text(encoding="utf-8") for name in sources]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]


def _version(compiler: str) -> str:
    stat = Path(compiler).resolve().stat()
    return f"{stat.st_size} {stat.st_mtime_ns}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return platform.processor()
    wanted = ("flags", "Features", "model name", "CPU part")
    return "\n".join(sorted({line for line in lines if line.startswith(wanted)}))


@contextlib.contextmanager
def _alone(lock: Path) -> Generator[None]:
    with lock.open("w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # released when this process ends, however it ends
        yield


def _build(command: tuple[str, ...], library: Path, source: str) -> None:
    with tempfile.TemporaryDirectory(dir=library.parent) as scratch:
        unfinished = Path(scratch) / library.name
        call = [*command, str(_HERE / source), "-o", str(unfinished), "-ltorch_cpu", "-lc10"]
        try:
            done = subprocess.run(call, capture_output=True, text=True, timeout=_TIMEOUT, check=False)
        except subprocess.TimeoutExpired:
            raise BuildError(f"{command[0]} took more than {_TIMEOUT} s; try again on an idle machine") from None
        if done.returncode != 0:
            reason = "; ".join(done.stderr.strip().splitlines()[:3]) or f"exit code {done.returncode}"
            raise BuildError(f"{command[0]} failed: {reason}; install a C++20 compiler (g++ 11 or later)")
        _try_out(unfinished)
        unfinished.replace(library)


def _try_out(library: Path) -> None:
    # A library that does not fit this torch ends the process that loads it: let that be another one.
    call = [sys.executable, "-c", "import sys, torch; torch.ops.load_library(sys.argv[1])", str(library)]
    try:
        done = subprocess.run(call, capture_output=True, text=True, timeout=_TIMEOUT, check=False)
    except subprocess.TimeoutExpired:
        raise BuildError(
            f"loading the built kernels took more than {_TIMEOUT} s; try again on an idle machine"
        ) from None
    if done.returncode != 0:
        reason = "; ".join(done.stderr.strip().splitlines()[-1:]) or f"exit code {done.returncode}"
        raise BuildError(f"the built kernels cannot be loaded: {reason}; install the compiler that torch was built for")
