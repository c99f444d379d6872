"""The machine and the call that a figure depends on, read without importing torch."""

import contextlib
import os
import platform
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from hotloop.machine.installed import find_allocators, find_compiler, git_state, torch_has_cuda, torch_version
from hotloop.machine.nvidia import installed_gpus, visible
from hotloop.measurement import Environment
from hotloop.version import __version__

_VARIABLES = (
    "OMP_",
    "MKL_",
    "GOMP_",
    "KMP_",
    "LD_PRELOAD",
    "GLIBC_TUNABLES",
    "MALLOC_",
    "TORCH",
    "PYTORCH_",
    "CUDA_VISIBLE_DEVICES",
    "THP_MEM_ALLOC_ENABLE",
    "PYTHONHASHSEED",
)
# The kernel counts CPU time in ticks of 10 ms, per process and per core: over 0.3 s, less than this is rounding.
_RESOLVED_CORES = 0.1


def record_environment(argv: Sequence[str], folder: Path) -> Environment:
    """The environment now: `argv` is the exact call, `folder` the place whose git state counts."""
    cpu, flags = cpu_model()
    gpus = visible(installed_gpus(), os.environ.get("CUDA_VISIBLE_DEVICES")) if torch_has_cuda() else ()
    revision, is_dirty = git_state(folder)

    return Environment(
        cpu=cpu,
        cpu_flags=flags,
        cores=cores(),
        threads=default_threads(os.environ),
        governor=governor(cores()),
        load=psutil.getloadavg()[0],
        foreign_cores=foreign_cores(),
        memory=psutil.virtual_memory().total,
        platform=platform.platform(),
        python=platform.python_version(),
        torch=torch_version(),
        hotloop=__version__,
        gpus=tuple(gpu.name for gpu in gpus),
        gpu_driver=gpus[0].driver if gpus else "",
        gpu_clocks=tuple(gpu.clocks for gpu in gpus),
        git_revision=revision,
        git_dirty=is_dirty,
        argv=tuple(argv),
        variables=relevant_variables(os.environ),
        allocators=find_allocators(),
        compiler=find_compiler(os.environ),
    )


CONTENDED = 0.3
"""So many cores kept busy by others, and threads that spin collapse: one thread each, and CPU time, are compared."""


def foreign_cores(interval: float = 0.3) -> float:
    """How many cores processes outside our own tree keep busy, seen over `interval` seconds; 0 where idle."""
    start, system, own = time.perf_counter(), _system_seconds(), _own_seconds()
    time.sleep(interval)
    system, own = _system_seconds() - system, max(0.0, _own_seconds() - own)  # a child reaped mid-way may go missing
    busy = (system - own) / (time.perf_counter() - start)
    return round(busy, 2) if busy >= _RESOLVED_CORES else 0.0


def cores() -> tuple[int, ...]:
    """Numbers of the cores that this process may run on, ascending."""
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(os.cpu_count() or 1))


def default_threads(variables: Mapping[str, str]) -> int:
    """Threads that torch uses where nobody sets them: its own answer where it is loaded, else by its own rule.

    Source: `at::init_num_threads` asks MKL, which takes MKL_NUM_THREADS, then OMP_NUM_THREADS, then the physical
    cores, and never more than the physical cores unless MKL_DYNAMIC is off (seen with torch 2.13).
    """
    if (torch := sys.modules.get("torch")) is not None:
        return int(torch.get_num_threads())
    physical = physical_cores(cores())
    texts = [variables.get(name, "").partition(",")[0].strip() for name in ("MKL_NUM_THREADS", "OMP_NUM_THREADS")]
    asked = next((int(text) for text in texts if text.isdecimal() and int(text) > 0), physical)
    is_capped = variables.get("MKL_DYNAMIC", "").upper() not in ("FALSE", "0")
    return min(asked, physical) if is_capped else asked


def physical_cores(numbers: Sequence[int]) -> int:
    """How many physical cores these logical ones stand for; as many as there are where Linux does not say."""
    seen: set[tuple[str, str]] = set()
    for number in numbers:
        topology = Path(f"/sys/devices/system/cpu/cpu{number}/topology")
        seen.add((_read(topology / "physical_package_id"), _read(topology / "core_id") or str(number)))
    return len(seen)


def governor(numbers: Sequence[int]) -> str:
    """How the clock of these cores is governed ("performance", "powersave", both where mixed), or "unknown"."""
    found = {_read(Path(f"/sys/devices/system/cpu/cpu{number}/cpufreq/scaling_governor")) for number in numbers}
    return ", ".join(sorted(found - {""})) or "unknown"


def cpu_model(cpuinfo: Path = Path("/proc/cpuinfo")) -> tuple[str, tuple[str, ...]]:
    """Model name and sorted flags of the CPU; what Python knows of it, and no flags, where Linux does not say."""
    entries: dict[str, str] = {}
    for line in _read(cpuinfo).splitlines():
        key, _, value = line.partition(":")
        entries.setdefault(key.strip(), value.strip())
    model = entries.get("model name") or platform.processor() or platform.machine()
    return model, tuple(sorted(entries.get("flags", entries.get("Features", "")).split()))


def relevant_variables(variables: Mapping[str, str]) -> dict[str, str]:
    """Those environment variables that can change speed or numbers, sorted by name."""
    return {name: value for name, value in sorted(variables.items()) if name.startswith(_VARIABLES)}


def _system_seconds() -> float:
    times = psutil.cpu_times()
    return sum(float(getattr(times, kind, 0.0)) for kind in ("user", "nice", "system", "irq", "softirq"))


def _own_seconds() -> float:
    """CPU seconds of our process tree, those of children that are gone included."""
    current = psutil.Process()
    seconds = 0.0
    for process in (current, *current.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):  # it ended since the listing; its parent counts it from now on
            seconds += sum(process.cpu_times()[:4])  # user, system, and both of the children it has waited for
    return seconds


def _read(path: Path) -> str:
    """Text of a file of the kernel; empty where this kernel has none."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
