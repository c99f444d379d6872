"""Where a sequence of points goes: moves from the last point, as weights of the differences between neighbours."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]

_RIDGE = 1e-12  # of the trace, against differences that depend on each other


def linear(gram: Array, horizon: int) -> Array:
    """On along the least squares line through the points, `horizon` of them beyond the last."""
    num_points = len(gram) + 1
    times = np.arange(num_points) - (num_points - 1.0)
    design = np.stack([np.ones(num_points), times], axis=1)
    of_points = np.linalg.pinv(design).T @ np.array([1.0, float(horizon)])
    return _of_differences(of_points)


def anderson(gram: Array, horizon: int) -> Array:
    """To the point where the differences, mixed with weights that sum to 1, are smallest; `horizon` has no part in it.

    Source: Anderson 1965; the depth is the number of differences.
    """
    ridge = _RIDGE * max(float(np.trace(gram)), np.finfo(np.float64).tiny)
    mixed = np.linalg.solve(gram + ridge * np.eye(len(gram)), np.ones(len(gram)))
    total = mixed.sum()
    mixed = mixed / total if total else np.full(len(gram), 1.0 / len(gram))
    return _of_differences(np.concatenate([[0.0], mixed]))


def dmd(gram: Array, horizon: int) -> Array:
    """On for `horizon` points by the linear map that takes each difference to the next, its growing modes held still.

    Source: Schmid 2010, dynamic mode decomposition, in the span of the differences.
    """
    before, crossed = gram[:-1, :-1], gram[:-1, 1:]
    step = np.linalg.pinv(before, rcond=1e-8, hermitian=True) @ crossed
    values, modes = np.linalg.eig(step)
    values = values / np.maximum(np.abs(values), 1.0)
    powers = np.sum(values[None, :] ** np.arange(1, horizon + 1)[:, None], axis=0)
    last = step[:, -1]
    moves = modes @ (powers * np.linalg.lstsq(modes, last.astype(complex), rcond=None)[0])
    return np.concatenate([moves.real, [0.0]])


EXTRAPOLATIONS: Mapping[str, Callable[[Array, int], Array]] = {"linear": linear, "anderson": anderson, "dmd": dmd}


def _of_differences(of_points: Array) -> Array:
    """Weights of points that sum to 1, as weights of their differences, from the last point."""
    return -np.cumsum(of_points)[:-1]
