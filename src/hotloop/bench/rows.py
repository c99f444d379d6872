"""The rows of a benchmark: which workload runs under which plan, and what its processes are asked."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hotloop.bench.asked import Asked
from hotloop.transform import Plan
from hotloop.workload import Recipe, Workload
from hotloop.workloads.matrix.matrix import NO_PLAN, Matrix, MatrixRow, load_matrix


@dataclass(frozen=True, kw_only=True)
class RowSpec:
    """One row before it is measured; `target` is the loss to come down to."""

    title: str
    plan_title: str
    workload: Workload
    plan: Plan
    asked: Asked
    target: float | None = None

    @property
    def has_loss(self) -> bool:
        """Whether its loss says anything: that of a model whose matrix names none does not."""
        return self.asked.model is None or self.asked.model.model.loss != "square"


@dataclass(frozen=True, kw_only=True)
class BenchPlan:
    """What is to be measured: rows, and how many fresh processes for each."""

    title: str
    rows: tuple[RowSpec, ...]
    replicates: int


def rows_of_matrix(path: Path) -> BenchPlan:
    """All rows of a matrix; plans and modules are looked for beside it. Raises MatrixError, PlanError."""
    matrix = load_matrix(path)
    folder = path.resolve().parent
    plans = {name: Plan() if name == NO_PLAN else Plan.load(folder / name) for name in matrix.plans}
    rows = [
        RowSpec(
            title=row.model.title,
            plan_title=plans[plan].short_title if plans[plan].transforms else NO_PLAN,
            workload=Recipe(target=row.model.model, seed=matrix.seed, folder=folder),
            plan=plans[plan],
            asked=_asked(matrix, row),
            target=matrix.target,
        )
        for row in matrix.rows()
        for plan in matrix.plans
    ]
    return BenchPlan(title=path.name, rows=tuple(rows), replicates=matrix.replicates)


def rows_of_workload(
    workload: Workload, plans: Sequence[Path], *, asked: Asked, replicates: int, target: float | None
) -> BenchPlan:
    """The workload as it stands, and under each plan. Raises PlanError."""
    chosen = [Plan(), *map(Plan.load, plans)]
    rows = [
        RowSpec(
            title=workload.title,
            plan_title=plan.short_title if plan.transforms else NO_PLAN,
            workload=workload,
            plan=plan,
            asked=asked,
            target=target,
        )
        for plan in chosen
    ]
    return BenchPlan(title=workload.title, rows=tuple(rows), replicates=replicates)


def _asked(matrix: Matrix, model: MatrixRow) -> Asked:
    return Asked(model=model, steps=matrix.steps, warmup=matrix.warmup, converge=matrix.converge, seed=matrix.seed)
