"""Series: one figure of one workload on one kind of machine, session by session."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hotloop.measurement import Environment
from hotloop.records.history import History, SessionRow

METRICS = ("step_time", "throughput", "peak_memory", "compile_time", "speedup", "loss")


@dataclass(frozen=True, kw_only=True)
class Point:
    """One session's figure, with the commit that it measured."""

    session: int
    started: datetime
    revision: str
    value: float


@dataclass(frozen=True, kw_only=True)
class FigureSeries:
    """Points in the order in which they were taken."""

    machine: str
    workload: str
    metric: str
    points: tuple[Point, ...]

    @property
    def values(self) -> tuple[float, ...]:
        """The figures alone."""
        return tuple(point.value for point in self.points)


def machine_kind(environment: Environment) -> str:
    """What must be the same for absolute figures to stand in one series: processor, number of cores, GPUs."""
    gpus = f", {', '.join(environment.gpus)}" if environment.gpus else ""
    return f"{environment.cpu}, {len(environment.cores)} cores{gpus}"


def read_series(history: History, rows: Iterable[SessionRow], *, metric: str | None = None) -> list[FigureSeries]:
    """Every series that finished sessions among `rows` make, those of one metric alone if it is named."""
    found: dict[tuple[str, str, str], list[Point]] = {}
    for row in sorted(rows, key=lambda row: (row.started, row.id)):
        if row.state != "finished" or row.verdict is None:
            continue
        for workload, name, value in figures(row, history.document(row.id)):
            if metric in (None, name):
                point = Point(session=row.id, started=row.started, revision=row.environment.git_revision, value=value)
                found.setdefault((machine_kind(row.environment), workload, name), []).append(point)
    return [
        FigureSeries(machine=machine, workload=workload, metric=name, points=tuple(points))
        for (machine, workload, name), points in sorted(found.items())
    ]


def figures(row: SessionRow, document: Mapping[str, Any]) -> Iterator[tuple[str, str, float]]:
    """Workload, metric and value of all that a session measured; seconds and bytes."""
    if row.kind == "bench":
        read = _of_bench(row.workload, document)
    elif "metrics" in document:  # a comparison of two revisions: the newer one's figures
        read = ((row.workload, str(item["name"]), item.get("head")) for item in document["metrics"])
    else:
        speedup = document.get("speedup") or {}
        read = (
            (row.workload, "speedup", speedup.get("ratio")),
            (row.workload, "step_time", document.get("baseline_step")),
        )
    for workload, metric, value in read:
        if isinstance(value, (int, float)) and math.isfinite(value):
            yield workload, metric, float(value)


def _of_bench(title: str, document: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    for row in document["rows"]:
        cell = [row["model"], f"batch {row['batch']}" if row["dtype"] else "", row["dtype"] or "", row["plan"]]
        workload = f"{title}: {', '.join(part for part in cell if part)}"
        step = row["step_ms"]
        yield workload, "step_time", None if step is None else step / 1e3
        yield workload, "throughput", row["throughput"]
        yield workload, "peak_memory", row["peak_memory_bytes"]
        yield workload, "compile_time", row["compile_s"] or None
