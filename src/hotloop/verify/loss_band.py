"""The band of losses that the baseline's noise spans, for the charts of a report."""

import numpy as np

from hotloop.trial import Curves
from hotloop.verify.distance import relative_losses
from hotloop.verify.tolerance import Tolerance
from hotloop.worker.observation import Observation


def loss_band(run: Observation, baseline: Observation, noisy: list[Observation], tolerance: Tolerance) -> Curves:
    """The baseline's losses with the band that its noise spans, widened to the largest deviation of five steps."""
    deviations = np.max([np.abs(relative_losses(other, baseline)) for other in noisy], axis=0)
    padded = np.pad(deviations, 2, mode="edge")
    widest = np.max([padded[i : i + len(deviations)] for i in range(5)], axis=0)
    losses = np.asarray(baseline.losses[: len(deviations)])
    width = (tolerance.drift_factor * widest + tolerance.floor) * np.abs(losses)
    return Curves(
        baseline=tuple(losses.tolist()),
        low=tuple((losses - width).tolist()),
        high=tuple((losses + width).tolist()),
        plan=tuple(run.losses[: len(deviations)]),
    )
