"""Every row of a matrix, judged as a program of its own in one pair of work trees."""

from dataclasses import replace

from hotloop.guard.compare_revisions import compare_sides
from hotloop.guard.matrix_report import MatrixReport
from hotloop.guard.request import Request
from hotloop.proof.session import Options, Progress
from hotloop.workloads.matrix.matrix import NO_PLAN, load_matrix


def is_matrix(target: str) -> bool:
    """Whether a target is a whole matrix, and not one row of it."""
    return target.endswith(".toml")


def compare_rows(request: Request, *, options: Options, progress: Progress | None = None) -> MatrixReport:
    """The verdict on all rows that head has, each of which gets an equal part of the budget.

    A row that base does not have is INCONCLUSIVE. Raises MatrixError where head's file is no matrix.
    """
    with request.sides() as trees:
        matrix = load_matrix(request.matrix_of(trees.head))
        rows = matrix.rows()
        part = replace(options, budget=options.budget / len(rows))
        reports = {
            row.title: compare_sides(
                replace(request, target=f"{request.target}:{row.title}"), trees, options=part, progress=progress
            )
            for row in rows
        }
    left_out = [plan for plan in matrix.plans if plan != NO_PLAN]
    notes = (f"not compared: the plans {', '.join(left_out)}; each row ran without a plan",) if left_out else ()
    return MatrixReport(workload=request.target, reports=reports, notes=notes)
