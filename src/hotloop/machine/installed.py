"""What is installed beside Python: allocators, a C++ compiler, torch, and the git state of a folder."""

import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path

_ALLOCATORS = {
    "tcmalloc": ("libtcmalloc_minimal.so.4", "libtcmalloc.so.4"),
    "jemalloc": ("libjemalloc.so.2",),
    "mimalloc": ("libmimalloc.so.3", "libmimalloc.so.2"),
}
_WHEEL = Path("cmeel.prefix", "lib")  # where the wheel cmeel-mimalloc puts its library, inside site-packages
_TIMEOUT = 10.0


def find_allocators() -> dict[str, str]:
    """Paths of the allocator libraries that can be preloaded here, by name; empty where there is no LD_PRELOAD."""
    if not sys.platform.startswith("linux"):
        return {}
    cache = _linker_cache()
    found = {name: _find_library(files, cache) for name, files in _ALLOCATORS.items()}
    return {name: path for name, path in found.items() if path}


def find_compiler(variables: Mapping[str, str]) -> str:
    """Path of the C++ compiler: what CXX names, else g++ (as inductor does), c++ or clang++; empty for none."""
    names = (variables.get("CXX", ""), "g++", "c++", "clang++")
    paths = (shutil.which(name, path=variables.get("PATH")) for name in names if name)
    return next((path for path in paths if path), "")


def torch_version() -> str:
    """Version of the installed torch, or an empty text; torch is not imported."""
    try:
        return importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        return ""


def torch_has_cuda() -> bool:
    """Whether the installed torch was built for CUDA, as its version.py says; torch is not imported."""
    spec = importlib.util.find_spec("torch")
    version = Path(spec.origin).with_name("version.py") if spec and spec.origin else None
    if version is None or not version.is_file():
        return False
    return re.search(r"^cuda\b[^=]*=\s*['\"]", version.read_text(encoding="utf-8"), re.MULTILINE) is not None


def git_state(folder: Path) -> tuple[str, bool]:
    """Revision of `folder`, and whether its files differ from it, new ones included; ("", False) outside git."""
    revision = _git(folder, "rev-parse", "--verify", "HEAD")
    if not revision:
        return "", False
    return revision, bool(_git(folder, "status", "--porcelain"))


def _git(folder: Path, *arguments: str) -> str:
    # Inside a git hook these name another repository; the lock and the monitor could write to or run things in it.
    redirections = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")
    variables = {name: value for name, value in os.environ.items() if name not in redirections}
    call = ["git", "-c", "core.fsmonitor=false", "-C", str(folder), *arguments]
    return _output(call, {**variables, "GIT_OPTIONAL_LOCKS": "0"})


def _output(call: list[str], variables: Mapping[str, str] | None = None) -> str:
    """What a program prints; empty where it is absent, fails, or takes too long."""
    try:
        done = subprocess.run(call, env=variables, capture_output=True, check=False, timeout=_TIMEOUT)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", "replace").strip() if done.returncode == 0 else ""


def _linker_cache() -> dict[str, list[Path]]:
    """Paths that the dynamic linker knows, by file name."""
    ldconfig = shutil.which("ldconfig") or "/sbin/ldconfig"  # Debian keeps /sbin off the PATH of ordinary users
    cache: dict[str, list[Path]] = {}
    for name, path in re.findall(r"^\s*(\S+) \([^)]*\) => (\S+)$", _output([ldconfig, "-p"]), re.MULTILINE):
        cache.setdefault(name, []).append(Path(path))
    return cache


def _find_library(files: tuple[str, ...], cache: Mapping[str, list[Path]]) -> str:
    own = _elf_kind(Path(sys.executable))
    roots = [Path(root) for root in ("/usr/local/lib", "/usr/lib", "/usr/lib64", "/lib", "/lib64")]
    parts = ("", sysconfig.get_config_var("MULTIARCH") or "")
    packages = dict.fromkeys(Path(sysconfig.get_path(kind)) for kind in ("purelib", "platlib"))
    folders = [folder / _WHEEL for folder in packages]
    folders += [Path(sys.prefix) / "lib", *(root / part for root in roots for part in parts)]
    for file in files:
        for path in (*cache.get(file, []), *(folder / file for folder in folders)):
            if _elf_kind(path) == own != b"":
                return str(path)
    return ""


def _elf_kind(path: Path) -> bytes:
    """Word size, byte order and machine of an ELF file: a library of another kind cannot be preloaded."""
    try:
        with path.open("rb") as file:
            header = file.read(20)
    except OSError:
        return b""
    return header[4:6] + header[18:20] if header.startswith(b"\x7fELF") else b""
