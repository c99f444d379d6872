"""A row of a matrix as a recipe: `matrix.toml:NAME/BATCH/DTYPE`."""

from collections.abc import Callable
from pathlib import Path

import torch

from hotloop.errors import MatrixError
from hotloop.workload import Job
from hotloop.workloads.matrix.matrix import MatrixRow, load_matrix
from hotloop.workloads.matrix.row_job import load_model, model_job


def row_build(path: Path, title: str) -> Callable[[int], Job]:
    """The function `build(seed)` of the row of that title, whose model is made anew, with weights drawn from the seed.

    Raises MatrixError where the matrix has no such row, with those that it has.
    """
    row = find_row(path, title)

    def build(seed: int) -> Job:
        torch.manual_seed(seed)
        return model_job(row, load_model(row, folder=path.resolve().parent), seed=seed)

    return build


def find_row(path: Path, title: str) -> MatrixRow:
    """The row of that title. Raises MatrixError where there is none."""
    rows = load_matrix(path).rows()
    for row in rows:
        if row.title == title:
            return row
    raise MatrixError(f"{path.name} has no row {title!r}; its rows are: {', '.join(row.title for row in rows)}")
