"""Compares the length of all gradients at every recorded step: what acts between sketched steps shows there."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hotloop.verify.tolerance import Tolerance
from hotloop.worker.observation import Observation, OptimizerSteps, Rows

_SMALL = 0.1  # of the median norm: below it a relative difference is one of rounding


def differences_in_gradient_norms(
    run: Observation, baseline: Observation, noisy: Sequence[Observation], tolerance: Tolerance
) -> list[str]:
    """For each optimizer the step whose gradients, as the step met them, are longer or shorter than noise explains.

    Each step has the largest gap of the `noisy` runs at that step and before it for its limit: noise adds up.
    """
    found: list[str] = []
    for index, (ours, theirs) in enumerate(zip(run.optimizers, baseline.optimizers, strict=False)):
        gaps = _gaps(ours, theirs)
        limits = np.full(len(gaps), tolerance.later)
        for one in noisy:
            noise = _gaps(one.optimizers[index], theirs) if index < len(one.optimizers) else np.zeros(0)
            shared = min(len(noise), len(gaps))
            explained = tolerance.step_factor * np.maximum.accumulate(noise[:shared])
            limits[:shared] = np.maximum(limits[:shared], tolerance.later + explained)
        over = np.flatnonzero(~(gaps <= limits))
        if len(over):
            row = int(over[0])
            step = theirs.recorded[row] if theirs.recorded else row + 1
            found.append(
                f"the gradients that step {step} of optimizer {index} meets are off in length by {gaps[row]:.1e} "
                f"(limit {limits[row]:.1e})"
            )
    return found


def _gaps(ours: OptimizerSteps, theirs: OptimizerSteps) -> NDArray[np.float64]:
    """Relative differences of the norms of all gradients, by recorded step; 0 where there is next to none."""
    rows = min(len(ours.gradients), len(theirs.gradients)) if ours.recorded == theirs.recorded else 0
    mine, other = _norms(ours.gradients[:rows]), _norms(theirs.gradients[:rows])
    finite = np.isfinite(mine) & np.isfinite(other)
    if not finite.any():
        return np.zeros(0)
    large = finite & (other > _SMALL * float(np.median(other[finite])))
    gaps = np.zeros(rows)
    gaps[large] = np.abs(mine[large] - other[large]) / other[large]
    return gaps


def _norms(rows: Rows) -> NDArray[np.float64]:
    """Of each row, whose tensors without a gradient are below 0."""
    return np.asarray([float(np.linalg.norm(np.maximum(np.asarray(row, dtype=np.float64), 0.0))) for row in rows])
