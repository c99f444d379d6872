"""NVIDIA GPUs that torch can use, through nvidia-ml-py where it is installed, else nvidia-smi."""

import csv
import importlib.util
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_QUERY = "index,uuid,name,driver_version,clocks.sm,clocks.mem"
_TIMEOUT = 20.0


@dataclass(frozen=True, kw_only=True)
class Gpu:
    """One device, with its clocks as they stand now."""

    index: int
    uuid: str
    name: str
    driver: str
    clocks: str


def visible(gpus: Sequence[Gpu], devices: str | None) -> tuple[Gpu, ...]:
    """Those of `gpus` that CUDA_VISIBLE_DEVICES shows, in its order; all where it is not set.

    As in CUDA, the list ends at the first entry that names no device. Indices are taken in PCI bus order.
    """
    if devices is None:
        return tuple(gpus)
    shown: list[Gpu] = []
    for entry in (part.strip() for part in devices.split(",")):
        named = [gpu for gpu in gpus if str(gpu.index) == entry or (entry[:3] == "GPU" and gpu.uuid.startswith(entry))]
        if not named:
            break
        shown.append(named[0])
    return tuple(shown)


def installed_gpus() -> tuple[Gpu, ...]:
    """All NVIDIA GPUs of this machine, by index; none where there is no driver."""
    if importlib.util.find_spec("pynvml") is not None:
        return _from_library()
    smi = shutil.which("nvidia-smi")
    if smi is None:
        return ()
    call = [smi, f"--query-gpu={_QUERY}", "--format=csv,noheader"]
    try:
        done = subprocess.run(call, capture_output=True, text=True, check=False, timeout=_TIMEOUT)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return parse_smi(done.stdout) if done.returncode == 0 else ()


def free_device_memory(variables: Mapping[str, str]) -> int | None:
    """Bytes that are free on the fullest GPU that torch would see under these variables; None where there is none."""
    gpus, smi = visible(installed_gpus(), variables.get("CUDA_VISIBLE_DEVICES")), shutil.which("nvidia-smi")
    if not gpus or smi is None:
        return None
    call = [smi, "--query-gpu=index,memory.free", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(call, capture_output=True, text=True, check=False, timeout=_TIMEOUT)
    except (OSError, subprocess.TimeoutExpired):
        return None
    rows = (line.split(",") for line in done.stdout.splitlines())
    free = {row[0].strip(): row[1].strip() for row in rows if len(row) == 2}
    found = [int(free[str(gpu.index)]) for gpu in gpus if free.get(str(gpu.index), "").isdecimal()]
    return min(found) * 2**20 if found else None


def parse_smi(text: str) -> tuple[Gpu, ...]:
    """GPUs in what nvidia-smi prints for our query, one a line."""
    rows = [[cell.strip() for cell in row] for row in csv.reader(text.splitlines())]
    return tuple(
        Gpu(index=int(index), uuid=uuid, name=name, driver=driver, clocks=f"sm {sm}, memory {memory}")
        for index, uuid, name, driver, sm, memory in (row for row in rows if len(row) == 6 and row[0].isdecimal())
    )


def _from_library() -> tuple[Gpu, ...]:
    import pynvml  # pyright: ignore[reportMissingImports]

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return ()  # no driver, so no GPU that torch could use
    try:
        return tuple(_describe(pynvml, index) for index in range(pynvml.nvmlDeviceGetCount()))
    finally:
        pynvml.nvmlShutdown()


def _describe(nvml: Any, index: int) -> Gpu:
    handle = nvml.nvmlDeviceGetHandleByIndex(index)
    sm = nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_SM)
    memory = nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_MEM)
    return Gpu(
        index=index,
        uuid=nvml.nvmlDeviceGetUUID(handle),
        name=nvml.nvmlDeviceGetName(handle),
        driver=nvml.nvmlSystemGetDriverVersion(),
        clocks=f"sm {sm} MHz, memory {memory} MHz",
    )
