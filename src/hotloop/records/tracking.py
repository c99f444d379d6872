"""Sends what a session ended with to trackers; what a tracker does wrong becomes a note and never ends a run."""

import importlib
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from hotloop import registry
from hotloop.errors import RegistryError, TrackerError
from hotloop.trial import Result


@dataclass(frozen=True, kw_only=True)
class TrackedRun:
    """One session for a tracker: a name, what it was (`facts`), and its figures."""

    name: str
    verb: str
    facts: Mapping[str, str]
    figures: Mapping[str, float]


class Tracker(Protocol):
    """A sink, found by the name of its file or by an entry point in the group hotloop.trackers."""

    @property
    def name(self) -> str:
        """The name that --track gives."""
        ...

    def write(self, run: TrackedRun) -> str:
        """Write one run and return where it went. May raise whatever its library raises."""
        ...


def check_trackers(names: Iterable[str]) -> None:
    """Raise RegistryError for a name that nothing is registered under: before anything is measured."""
    for name in names:
        if name not in registry.names("trackers"):
            known = ", ".join(registry.names("trackers")) or "none"
            raise RegistryError(f"no tracker is named {name!r}; known are: {known}")


def track(names: Iterable[str], run: TrackedRun) -> list[str]:
    """Write the run to each tracker; a note for each one that failed."""
    notes: list[str] = []
    for name in names:
        try:
            registry.load("trackers", name)().write(run)
        except Exception as error:  # noqa: BLE001  # a tracker is somebody else's code, and what was measured stands
            notes.append(f"tracker {name} took nothing: {type(error).__name__}: {error}")
    return notes


def run_of_result(result: Result, *, verb: str) -> TrackedRun:
    """What a session of `tune` or `prove` tells trackers."""
    figures = {"tuning_seconds": result.tuning_seconds, "baseline_step_seconds": result.baseline_step}
    if result.speedup is not None:
        figures |= {
            "speedup": result.speedup.ratio,
            "speedup_low": result.speedup.low,
            "speedup_high": result.speedup.high,
        }
    if result.memory_ratio is not None:
        figures |= {
            "memory_ratio": result.memory_ratio.ratio,
            "memory_ratio_low": result.memory_ratio.low,
            "memory_ratio_high": result.memory_ratio.high,
        }
    facts = {
        "verdict": result.verdict.value,
        "objective": result.objective.value,
        "message": result.message,
        "torch": result.environment.torch,
    }
    facts |= {"cpu": result.environment.cpu, "git_revision": result.environment.git_revision}
    return TrackedRun(name=result.workload, verb=verb, facts=facts, figures=finite(figures))


def run_of_benchmark(document: Mapping[str, Any]) -> TrackedRun:
    """What a benchmark tells trackers, from the document of `hotloop bench --json`: figures by row."""
    figures: dict[str, float | None] = {}
    for row in document["rows"]:
        cell = [row["model"], f"batch {row['batch']}" if row["batch"] else "", row["dtype"] or "", row["plan"]]
        title = plain_name("/".join(filter(None, cell)))
        for key in ("step_ms", "forward_ms", "backward_ms", "throughput", "peak_memory_bytes", "load_ms", "compile_s"):
            figures[f"{title}/{key}"] = row[key]
    environment = document["environment"]
    facts = {name: str(environment[name]) for name in ("torch", "cpu", "git_revision")}
    return TrackedRun(name=document["title"], verb="bench", facts=facts, figures=finite(figures))


def plain_name(text: str) -> str:
    """The text with what trackers refuse in a name replaced by an underscore."""
    return re.sub(r"[^\w\-./ ]", "_", text)


def finite(figures: Mapping[str, float | None]) -> dict[str, float]:
    """Those that are numbers."""
    return {name: float(value) for name, value in figures.items() if value is not None and math.isfinite(value)}


def library(name: str) -> Any:
    """A tracker's own library. Raises TrackerError that names the extra where it is not installed."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise TrackerError(
            f"it needs {error.name}, which is not installed; run pip install 'hotloop[track]'"
        ) from error
