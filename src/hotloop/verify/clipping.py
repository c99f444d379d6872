"""Compares how two runs clip their gradients: how often, by which limits, and which norms they find."""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from hotloop.verify.tolerance import Tolerance
from hotloop.worker.observation import Observation

_EQUAL = 1e-6


def differences_in_limits(run: Observation, baseline: Observation) -> Iterator[str]:
    """The first step that clips more or less often than the baseline's, or by another limit."""
    if run.clippings is None or baseline.clippings is None:
        return
    ours, theirs = (Counter(call.step for call in calls) for calls in (run.clippings, baseline.clippings))
    for step in sorted({*ours, *theirs}):
        if step <= min(len(run.losses), len(baseline.losses)) and ours[step] != theirs[step]:
            yield f"gradients are clipped {ours[step]} times in step {step} in place of {theirs[step]}"
            return
    for mine, other in zip(run.clippings, baseline.clippings, strict=False):
        if mine.kind != other.kind or abs(mine.limit - other.limit) > _EQUAL * abs(other.limit):
            yield (
                f"gradients are clipped to a {mine.kind} of {mine.limit:.7g} in place of a {other.kind} of "
                f"{other.limit:.7g} in step {other.step}"
            )
            return


def differences_in_norms(
    run: Observation, baseline: Observation, noisy: Sequence[Observation], tolerance: Tolerance
) -> list[str]:
    """The step whose clipped norm is farthest off, where the noise does not explain it."""
    gaps = _gaps(run, baseline)
    if not len(gaps):
        return []
    limit = tolerance.step_factor * max((_gaps(one, baseline).max(initial=0.0) for one in noisy), default=0.0)
    worst = int(gaps.argmax())
    if gaps[worst] <= limit + tolerance.later:
        return []
    step = (baseline.clippings or ())[worst].step
    return [
        f"the norm that is clipped in step {step} is off by {gaps[worst]:.1e} (limit {limit + tolerance.later:.1e})"
    ]


def _gaps(run: Observation, baseline: Observation) -> NDArray[np.float64]:
    """Relative differences of the norms, call by call; infinite where one is finite and the other is not."""
    pairs = list(zip(run.clippings or (), baseline.clippings or (), strict=False))
    if not pairs:
        return np.zeros(0)
    norms = [(mine.norm or 0.0, other.norm or 0.0) for mine, other in pairs]  # none where values are cut
    ours, theirs = np.asarray(norms, dtype=np.float64).T
    with np.errstate(invalid="ignore"):
        gaps = np.abs(ours - theirs) / np.maximum(np.abs(theirs), 1e-300)
    gaps[~np.isfinite(ours) & ~np.isfinite(theirs)] = 0.0
    gaps[np.isfinite(ours) != np.isfinite(theirs)] = np.inf
    return gaps
