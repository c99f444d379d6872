"""Benchmark: every row that `hotloop bench` measured, with raw samples; the document of `--json`."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from hotloop.bench.convergence import Convergence
from hotloop.bench.figure import Figure
from hotloop.measurement import Environment
from hotloop.records.documents import to_data

SCHEMA = 1
"""Version of the document. 1: the first."""


@dataclass(frozen=True, kw_only=True)
class BenchRow:
    """One row: what was measured, or in `failure` why nothing was.

    `batch` is 0 and `dtype` empty where the workload chooses them. Figures are None where a workload has no such part
    (a script, a step that a plan makes in one piece). Memory and compile time come from the first replicate, whose
    caches are empty; loading is the median.
    """

    model: str
    batch: int
    dtype: str
    plan: str
    step: Figure | None = None
    forward: Figure | None = None
    backward: Figure | None = None
    peak_memory: int = 0
    mean_memory: int = 0
    load_seconds: float = 0.0
    compile_seconds: float = 0.0
    convergence: Convergence | None = None
    failure: str = ""

    @property
    def throughput(self) -> float | None:
        """Samples a second; None where nobody knows how many a batch holds."""
        return self.batch / self.step.seconds if self.step and self.batch else None

    def to_data(self) -> dict[str, Any]:
        """The row as it stands in the document: `low` and `high` bound `step_ms`."""
        interval = self.step.interval if self.step else None
        return {
            "model": self.model,
            "batch": self.batch or None,
            "dtype": self.dtype or None,
            "plan": self.plan,
            "forward_ms": _ms(self.forward and self.forward.seconds),
            "backward_ms": _ms(self.backward and self.backward.seconds),
            "step_ms": _ms(interval and interval.ratio),
            "throughput": self.throughput,
            "peak_memory_bytes": self.peak_memory or None,
            "mean_memory_bytes": self.mean_memory or None,
            "load_ms": _ms(self.load_seconds if self.step else None),
            "compile_s": self.compile_seconds if self.step else None,
            "low": _ms(interval and interval.low),
            "high": _ms(interval and interval.high),
            "convergence": to_data(asdict(self.convergence)) if self.convergence else None,
            "samples": {
                name: [list(samples) for samples in figure.samples]
                for name, figure in (("step", self.step), ("forward", self.forward), ("backward", self.backward))
                if figure is not None
            },
            "failure": self.failure or None,
        }


@dataclass(frozen=True, kw_only=True)
class Profile:
    """The operators that took the most time in the slowest row, and the name of the chrome trace beside the page."""

    row: int
    trace: str
    operators: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """All rows, and where and how they were taken."""

    title: str
    command: str
    rows: tuple[BenchRow, ...]
    environment: Environment
    replicates: int
    steps: int
    warmup: int
    clock: str
    profile: Profile | None = None
    notes: tuple[str, ...] = field(default=())

    @property
    def slowest(self) -> int | None:
        """The row whose step takes longest; None where none was measured."""
        measured = [(row.step.seconds, number) for number, row in enumerate(self.rows) if row.step]
        return max(measured)[1] if measured else None

    def to_data(self) -> dict[str, Any]:
        """The document."""
        return {
            "schema": SCHEMA,
            "title": self.title,
            "command": self.command,
            "rows": [row.to_data() for row in self.rows],
            "slowest": self.slowest,
            "profile": to_data(self.profile) if self.profile else None,
            "method": {
                "replicates": self.replicates,
                "steps": self.steps,
                "warmup": self.warmup,
                "clock": self.clock,
            },
            "notes": list(self.notes),
            "environment": to_data(self.environment),
        }

    def to_json(self) -> str:
        """The text of `--json`."""
        return json.dumps(self.to_data(), indent=2, allow_nan=False) + "\n"


def _ms(seconds: float | None) -> float | None:
    """None for what was not measured, and for a bound that is none."""
    return None if seconds is None or not math.isfinite(seconds) or seconds <= 0 else 1e3 * seconds
