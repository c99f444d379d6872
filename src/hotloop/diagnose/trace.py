"""Runs an unmodified program under the probes and says what it costs and what could be won."""

import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hotloop.diagnose.diagnosis import Diagnosis, read_finding
from hotloop.errors import MeasurementError
from hotloop.machine.environment import CONTENDED, record_environment
from hotloop.measurement import Environment
from hotloop.transform import Plan
from hotloop.worker.process import Settings, Worker
from hotloop.workload import Workload

_PROCESS = "hotloop.diagnose.probe_process"


@dataclass(frozen=True, kw_only=True)
class TraceOptions:
    """How long to trace: `steps` are timed, and `budget` seconds are what all windows together may take."""

    steps: int = 30
    budget: float = 60.0


def trace(workload: Workload, options: TraceOptions, *, may_overwrite: tuple[str, ...] = ()) -> Diagnosis:
    """What the program spends its steps on, by a run in a process of its own.

    Raises as every worker does: WorkloadCrashed, ProtectedFile, NeverStepped; MeasurementError where it ended before
    a step could be timed.
    """
    environment = record_environment(tuple(sys.argv), workload.folder)
    with tempfile.TemporaryDirectory(prefix="hotloop-session-") as folder:
        settings = Settings(
            folder=Path(folder),
            variables={"OMP_NUM_THREADS": "1"} if environment.foreign_cores >= CONTENDED else {},
            cores=environment.cores,
            may_overwrite=may_overwrite,
            first_step_limit=max(60.0, options.budget),
            turn_limit=max(60.0, options.budget),
        )
        found = trace_with(workload, options, settings, environment)
    if not settings.variables:
        return found
    busy = f"other processes kept {environment.foreign_cores:.1f} cores busy, beside which threads that spin collapse"
    note = f"{busy}: it was traced with one thread, and shares are less certain"
    return replace(found, notes=(*found.notes, note))


def trace_with(workload: Workload, options: TraceOptions, settings: Settings, environment: Environment) -> Diagnosis:
    """The same inside of a session, whose settings the worker shares."""
    program = (_PROCESS, str(options.steps), str(options.budget))
    with Worker(workload, Plan(), settings, program=program) as worker:
        data: Mapping[str, Any] = worker.watched()["diagnosis"]
    if not data["steps"]:
        raise MeasurementError(
            "the program ended before one of its steps was timed; it needs three to warm up and two more: train longer"
        )
    fields: dict[str, Any] = {**data, "findings": tuple(map(read_finding, data["findings"]))}
    fields |= {name: tuple(data[name]) for name in ("modules", "losses", "notes")}
    return Diagnosis(workload=workload.title, environment=environment, **fields)
