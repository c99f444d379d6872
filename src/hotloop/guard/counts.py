"""Counts of base and head that do not depend on the machine: graph breaks, recompiles, host reads, operators."""

import linecache
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hotloop.guard.limits import COUNTS, GuardSettings, Limit
from hotloop.guard.metric import Metric, judge_count, unknown
from hotloop.guard.side import Side
from hotloop.transform import Plan
from hotloop.verdict import Outcome
from hotloop.worker.process import Settings, Worker
from hotloop.workload import Workload

_PROCESS = "hotloop.guard.counting"
_MOST_PLACES = 3


@dataclass(frozen=True, kw_only=True)
class Counts:
    """What one run counted. Places are "file:line: what (source)"; of reads and operators there are so many a step.

    `memory` is that of live tensors at the peak of one step in bytes, `files` are those of imported modules.
    `instructions` are those of user code in a plain step; where they could not be counted, `no_instructions` says why.
    """

    steps: int
    read_steps: int
    graphs: int
    compile_seconds: float
    graph_breaks: tuple[str, ...]
    recompiles: tuple[str, ...]
    reads: Mapping[str, float]
    operators: Mapping[str, float]
    memory: int = 0
    memory_at: str = ""
    instructions: float | None = field(default=None, compare=False)
    no_instructions: str = field(default="", compare=False)
    files: tuple[str, ...] = field(default=(), compare=False)

    def figure(self, name: str) -> float:
        """The figure of a metric."""
        numbers = {
            "graph_breaks": len(self.graph_breaks),
            "recompiles": len(self.recompiles),
            "host_reads": round(sum(self.reads.values()), 6),
            "operators": round(sum(self.operators.values()), 6),
        }
        return float(numbers[name])

    def places(self, name: str) -> Counter[str]:
        """Where the figure comes from, so many millionths each."""
        found: dict[str, Mapping[str, float]] = {
            "graph_breaks": Counter(self.graph_breaks),
            "recompiles": Counter(self.recompiles),
            "host_reads": self.reads,
            "operators": self.operators,
        }
        return Counter({place: int(1e6 * count) for place, count in found[name].items()})


def count(side: Side, workload: Workload, settings: Settings, *, steps: int, run: str) -> Counts:
    """What a run of one side counts, with a cache of its own, so that everything is compiled. Raises as workers do."""
    alone = replace(
        settings,
        folder=settings.folder / f"counts-{run}",
        variables={**settings.variables, "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"},
    )
    with Worker(workload, Plan(), alone, program=(_PROCESS, str(steps))) as worker:
        return _read(worker.watched()["counts"], side.tree)


def _read(data: Mapping[str, Any], tree: Path) -> Counts:
    def place(path: str, line: int, what: str) -> str:
        shown = Path(path).relative_to(tree) if Path(path).is_relative_to(tree) else path
        source = linecache.getline(path, line).strip()
        return f"{shown}:{line}: {what}" + (f" (`{source}`)" if source else "")

    memory = data["memory"]
    reads = {place(path, line, kind): number for path, line, kind, number in data["reads"]}
    return Counts(
        steps=data["steps"],
        read_steps=data["read_steps"],
        graphs=data["graphs"],
        compile_seconds=data["compile_seconds"],
        graph_breaks=tuple(place(*entry) for entry in data["graph_breaks"]),
        recompiles=tuple(place(*entry) for entry in data["recompiles"]),
        reads={at: number / max(data["read_steps"], 1) for at, number in reads.items()},
        operators={name: number / max(data["operator_steps"], 1) for name, number in data["operators"].items()},
        memory=memory.get("peak", 0),
        memory_at=place(memory["path"], memory["line"], memory["module"]) if memory.get("path") else "",
        instructions=data["instructions"],
        no_instructions=data["no_instructions"],
        files=tuple(data["files"]),
    )


def count_metrics(base: Sequence[Counts], head: Sequence[Counts], settings: GuardSettings) -> list[Metric]:
    """The metrics of what was counted, each side once or more; counts that differ from run to run tell nothing."""
    return [_metric(name, base, head, settings) for name in COUNTS if name in settings.metrics]


def worse_counts(base: Counts, head: Counts, settings: GuardSettings) -> list[str]:
    """The metrics by which a single run of each would call head worse."""
    found = count_metrics([base], [head], settings)
    return [metric.name for metric in found if metric.verdict is Outcome.FAIL]


def _metric(name: str, base: Sequence[Counts], head: Sequence[Counts], settings: GuardSettings) -> Metric:
    for title, runs in (("base", base), ("head", head)):
        if len(figures := {run.figure(name) for run in runs}) > 1:
            shown = " and ".join(f"{figure:g}" for figure in sorted(figures))
            return unknown(name, f"two runs of {title} count {shown}: seed the program, so that its runs are alike")
    ours, theirs = base[0], head[0]
    if name in ("host_reads", "operators") and not (ours.read_steps and theirs.read_steps):
        return unknown(
            name, f"a program that ends after {ours.steps} and {theirs.steps} steps is over before: train longer"
        )
    if ours.steps != theirs.steps:
        return unknown(name, f"base made {ours.steps} steps and head {theirs.steps}: train both for equally many")
    limit = settings.limits.get(name)
    where = _new_places(name, ours.places(name), theirs.places(name))
    found = judge_count(name, ours.figure(name), theirs.figure(name), limit or Limit(relative=0.0), where=where)
    if limit is None and found.verdict is Outcome.FAIL:
        return replace(found, verdict=Outcome.PASS, message=f"{found.message} (not gated: no limit is set)")
    return found


def _new_places(name: str, ours: Counter[str], theirs: Counter[str]) -> list[str]:
    """Where head has more, most first; a line that only moved is the same place."""
    lines = {_moved(place): place for place in theirs}
    before, after = Counter[str](), Counter[str]()
    for places, found in ((ours, before), (theirs, after)):
        for place, number in places.items():
            found[_moved(place)] += number
    unit = "" if name in ("graph_breaks", "recompiles") else " a step"
    new = [f"{lines[place]}, {number / 1e6:g} more{unit}" for place, number in (after - before).most_common()]
    rest = len(new) - _MOST_PLACES
    return new[:_MOST_PLACES] + ([f"and {rest} more places"] if rest > 0 else [])


def _moved(place: str) -> str:
    return re.sub(r":\d+:", "::", place, count=1)
