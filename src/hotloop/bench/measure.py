"""Measures the rows of a benchmark, each replicate of each row in a fresh process, rows in random order."""

import json
import random
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hotloop.bench.benchmark import Benchmark, BenchRow, Profile
from hotloop.bench.convergence import convergence
from hotloop.bench.figure import Figure
from hotloop.bench.rows import BenchPlan, RowSpec
from hotloop.errors import MeasurementError, NotApplicable, ProtectedFile, WorkloadError
from hotloop.machine.environment import CONTENDED, record_environment
from hotloop.proof.session_folder import session_folder
from hotloop.transform import compiles
from hotloop.verdict import Outcome
from hotloop.whole_file import write_whole
from hotloop.worker.process import Settings, Worker

_PROCESS = "hotloop.bench.process"
_TRACE = "trace.json"
Say = Callable[[str], None]


@dataclass(kw_only=True)
class _Row:
    """What the replicates of one row answered so far."""

    spec: RowSpec
    settings: Settings
    answers: list[Mapping[str, Any]] = field(default_factory=list[Mapping[str, Any]])
    failure: WorkloadError | ProtectedFile | MeasurementError | NotApplicable | None = None

    def measure(self) -> None:
        """One more replicate; what ends it is the row's failure."""
        try:
            self.answers.append(_answer(self.spec, self.settings))
        except (WorkloadError, ProtectedFile, MeasurementError, NotApplicable) as error:
            self.failure = error


def run_benchmark(
    plan: BenchPlan, *, command: str = "", profile_into: Path | None = None, say: Say = lambda line: None
) -> Benchmark:
    """Every row, measured `plan.replicates` times; with `profile_into` a trace of the slowest is left in that folder.

    A row that cannot be measured says why in its `failure`; where none can, the first failure is raised.
    """
    environment = record_environment(tuple(sys.argv), plan.rows[0].workload.folder)
    with session_folder() as folder:
        busy = environment.foreign_cores
        is_contended = busy >= CONTENDED and not environment.has_cuda
        rows = [
            _row(spec, folder / str(number), environment.cores, is_contended=is_contended)
            for number, spec in enumerate(plan.rows)
        ]
        order = random.Random(0)
        for number in range(plan.replicates):
            alive = [row for row in rows if row.failure is None]
            order.shuffle(alive)
            for row in alive:
                say(f"replicate {number + 1} of {plan.replicates}: {row_title(row.spec)}")
                row.measure()
        if all(row.failure for row in rows) and rows[0].failure:
            raise rows[0].failure
        asked = plan.rows[0].asked
        found = Benchmark(
            title=plan.title,
            command=command,
            rows=tuple(map(_finished, rows)),
            environment=environment,
            replicates=plan.replicates,
            steps=asked.steps,
            warmup=asked.warmup,
            clock="CUDA events" if environment.has_cuda else "CPU time" if is_contended else "wall time",
            notes=tuple(_notes(rows, busy if is_contended else 0.0, plan.replicates)),
        )
        if profile_into is None or found.slowest is None:
            return found
        say(f"tracing the slowest: {row_title(plan.rows[found.slowest])}")
        return replace(found, profile=_profiled(rows[found.slowest], found.slowest, profile_into))


def outcome(benchmark: Benchmark) -> Outcome:
    """PASS where every row was measured; INCONCLUSIVE where some were not."""
    return Outcome.INCONCLUSIVE if any(row.failure for row in benchmark.rows) else Outcome.PASS


def row_title(spec: RowSpec) -> str:
    """A row in one line."""
    model = spec.asked.model
    cell = f", batch {model.batch}, {model.dtype}" if model else ""
    return f"{spec.title}{cell}, plan {spec.plan_title}"


def _answer(spec: RowSpec, settings: Settings) -> Mapping[str, Any]:
    program = (_PROCESS, spec.asked.model_dump_json())
    with Worker(spec.workload, spec.plan, settings, program=program) as worker:
        found: Mapping[str, Any] = worker.watched()["bench"]
    for name, reason in found["not_applied"].items():
        raise NotApplicable(f"does not apply here: {name}: {reason}")
    if not found["step"]:
        raise MeasurementError(
            f"the program ended after {len(found['wall'])} steps, before {spec.asked.steps} were timed: train longer"
        )
    return found


def _row(spec: RowSpec, folder: Path, cores: tuple[int, ...], *, is_contended: bool) -> _Row:
    """A row with caches of its own.

    Beside other load it gets one thread, since threads that spin collapse there, and is measured by CPU time.
    """
    settings = Settings(folder=folder, cores=cores, variables={"OMP_NUM_THREADS": "1"} if is_contended else {})
    settings.cache.mkdir(parents=True)
    asked = spec.asked.model_copy(update={"clock": "cpu" if is_contended else "wall"})
    return _Row(spec=replace(spec, asked=asked), settings=settings)


def _finished(row: _Row) -> BenchRow:
    spec, model = row.spec, row.spec.asked.model
    names: dict[str, Any] = {
        "model": spec.title,
        "dtype": model.dtype if model else "",
        "plan": spec.plan_title,
    }
    if row.failure is not None:
        return BenchRow(**names, batch=model.batch if model else 0, failure=str(row.failure))
    first = row.answers[0]
    step = _figure([answer["step"] for answer in row.answers])
    parts = [answer.get("parts") or {} for answer in row.answers]
    known = all("backward" in part for part in parts)
    return BenchRow(
        **names,
        batch=model.batch if model else int(first.get("count") or 0),
        step=step,
        forward=_figure([part["forward"] for part in parts]) if known else None,
        backward=_figure([part["backward"] for part in parts]) if known else None,
        peak_memory=first["peak_memory"],
        mean_memory=first["mean_memory"],
        load_seconds=statistics.median(answer["load"] for answer in row.answers),
        compile_seconds=_compile_seconds(spec, first),
        convergence=convergence(first["losses"], first["wall"], target=spec.target) if spec.has_loss else None,
    )


def _compile_seconds(spec: RowSpec, first: Mapping[str, Any]) -> float:
    """What the first steps took longer than later ones, where something was compiled; 0 where nothing was."""
    if not first["graphs"] and not any(map(compiles, spec.plan.transforms)):
        return 0.0
    usual = statistics.median(first["step"])
    return max(0.0, sum(first["first_steps"]) - usual * len(first["first_steps"]))


def _figure(samples: Sequence[Sequence[float]]) -> Figure:
    return Figure(samples=tuple(map(tuple, samples)))


def _notes(rows: Sequence[_Row], busy: float, replicates: int) -> list[str]:
    notes: list[str] = []
    if busy:
        notes.append(
            f"other processes kept {busy:.1f} cores busy: every row ran with one thread, and CPU time was measured"
        )
    if replicates < 3:
        notes.append(f"{replicates} replicate{'s' if replicates > 1 else ''} bound little: take 3 or more")
    if not all(row.spec.has_loss for row in rows):
        notes.append("the loss is the mean of squared outputs, so convergence says nothing: the matrix names no loss")
    return notes


def _profiled(row: _Row, number: int, into: Path) -> Profile:
    trace = row.settings.cache / _TRACE
    asked = row.spec.asked.model_copy(update={"trace": str(trace), "steps": 5, "converge": 0})
    _answer(replace(row.spec, asked=asked), row.settings)
    into.mkdir(parents=True, exist_ok=True)
    write_whole(into / _TRACE, trace.read_bytes())
    operators = json.loads(trace.with_suffix(".operators").read_text(encoding="utf-8"))
    return Profile(row=number, trace=_TRACE, operators=tuple(operators))
