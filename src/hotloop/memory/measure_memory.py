"""Runs an unmodified program for a few steps and says what one of them keeps in memory."""

import sys
from collections.abc import Mapping
from typing import Any

from hotloop.errors import MeasurementError
from hotloop.machine.environment import record_environment
from hotloop.memory.cards import CARDS
from hotloop.memory.memory_use import MemoryUse
from hotloop.proof.session_folder import session_folder
from hotloop.transform import Plan
from hotloop.worker.process import Settings, Worker
from hotloop.workload import Workload

_PROCESS = "hotloop.memory.process"
_WARMUP = 2  # optimizers make their state in the first step


def measure_memory(
    workload: Workload, *, cards: Mapping[str, int] = CARDS, may_overwrite: tuple[str, ...] = (), limit: float = 600.0
) -> MemoryUse:
    """What the third step of the program keeps in memory, by a run of it in a process of its own, on its own device.

    Two more forward passes, with the whole batch and with half of it, tell how the memory grows with the batch.
    `limit` is how many seconds one step may take. Raises as every worker does: WorkloadCrashed, ProtectedFile,
    NeverStepped; MeasurementError where the program has fewer than three steps.
    """
    environment = record_environment(tuple(sys.argv), workload.folder)
    with session_folder() as folder:
        settings = Settings(
            folder=folder,
            cores=environment.cores,
            may_overwrite=may_overwrite,
            first_step_limit=limit,
            turn_limit=limit,
        )
        with Worker(workload, Plan(), settings, program=(_PROCESS, str(_WARMUP))) as worker:
            seen = worker.watched()["memory"]
    if seen is None:
        raise MeasurementError(
            f"the program ended before its step {_WARMUP + 1}, whose memory is looked at: train longer"
        )
    most = seen["most"]
    return MemoryUse(
        workload=workload.title,
        parameters=most["parameters"],
        buffers=most["buffers"],
        gradients=most["gradients"],
        optimizer=most["optimizer"],
        activations=most["activations"],
        peak=seen["peak"],
        at_peak=seen["at_peak"],
        by_module=tuple(seen["by_module"]),
        batch=seen["batch"],
        sample_bytes=_sample_bytes(seen),
        method=seen["method"],
        environment=environment,
        cards=cards,
    )


def _sample_bytes(seen: Mapping[str, Any]) -> float | None:
    """Activations grow as two forward passes show; temporaries of the peak in proportion, which is their most."""
    if not seen["bytes_per_sample"]:
        return None
    return seen["bytes_per_sample"] + seen["at_peak"]["temporaries"] / seen["batch"]
