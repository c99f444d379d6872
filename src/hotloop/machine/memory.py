"""Memory that is free for more processes, and what a process tree takes; limits of control groups count."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from hotloop.machine.nvidia import free_device_memory

_ROOT = Path("/sys/fs/cgroup")
_FILES = {1: ("memory.limit_in_bytes", "memory.usage_in_bytes"), 2: ("memory.max", "memory.current")}
_OUT_OF_MEMORY = ("MemoryError", "OutOfMemoryError")
_WORDS_OF_ALLOCATORS = ("can't allocate memory", "CUDA out of memory", "Cannot allocate memory", "bad_alloc")


@dataclass(frozen=True, kw_only=True)
class FreeMemory:
    """Bytes that are free on the host, and on the fullest GPU that torch may use (None without one)."""

    host: int
    device: int | None = None


def free_memory() -> FreeMemory:
    """What is free now."""
    return FreeMemory(host=free_host_memory(), device=free_device_memory(os.environ))


def free_host_memory(root: Path = _ROOT, own: Path = Path("/proc/self/cgroup")) -> int:
    """Bytes that this process and its children may still take before the kernel must swap or kill."""
    groups = [left for folder, version in _groups(root, own) if (left := _left_in(folder, version)) is not None]
    return min([psutil.virtual_memory().available, *groups])


def tree_memory(pid: int) -> int:
    """Bytes that a process took at its peak, and its descendants take now with shared pages counted once."""
    try:
        process = psutil.Process(pid)
        peak = _field(Path(f"/proc/{pid}/status"), "VmHWM:") * 1024 or process.memory_info().rss
        return peak + sum(_proportional(child) for child in process.children(recursive=True))
    except psutil.Error:
        return 0


def oom_kills() -> int:
    """How often the kernel has killed a process for want of memory since the machine started."""
    return _field(Path("/proc/vmstat"), "oom_kill")


def _proportional(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss)
    except (psutil.Error, AttributeError):  # it has ended, or this is not Linux
        return 0


def _groups(root: Path, own: Path) -> Iterator[tuple[Path, int]]:
    """Our own control group and those above it, in each hierarchy that counts memory."""
    for line in _text(own).splitlines():
        number, controllers, path = line.split(":", 2)
        version = 2 if number == "0" else 1
        if version == 1 and "memory" not in controllers.split(","):
            continue
        for mount in (root, root / "unified") if version == 2 else (root / "memory",):
            group = mount / path.lstrip("/")  # inside a container the path may be the host's: the mount is our own
            for folder in (group, *(parent for parent in group.parents if parent.is_relative_to(mount))):
                yield folder, version


def _left_in(folder: Path, version: int) -> int | None:
    """Bytes that a control group may still take; what the page cache could give back counts. None without a limit."""
    limit, usage = (_text(folder / name).strip() for name in _FILES[version])
    if not limit.isdecimal() or not usage.isdecimal():
        return None
    cached = _field(folder / "memory.stat", "total_inactive_file" if version == 1 else "inactive_file")
    return max(0, int(limit) - max(0, int(usage) - cached))


def _field(path: Path, name: str) -> int:
    """The number after `name` at the start of a line; 0 where there is none."""
    for line in _text(path).splitlines():
        words = line.split()
        if len(words) > 1 and words[0] == name and words[1].isdecimal():
            return int(words[1])
    return 0


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def tells_of_no_memory(kind: str, message: str) -> bool:
    """Whether an exception of this kind and message says that memory ended, its own or that of a GPU."""
    return kind in _OUT_OF_MEMORY or any(words in message for words in _WORDS_OF_ALLOCATORS)
