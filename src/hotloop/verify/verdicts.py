"""Distances and losses of runs turned into the verdicts of the step gate and the drift gate."""

import numpy as np

from hotloop.verdict import Outcome, Verdict
from hotloop.verify.distance import Distance, differences_in_kind
from hotloop.verify.tolerance import Tolerance
from hotloop.worker.observation import Observation


def step_verdict(
    run: Observation, baseline: Observation, distances: tuple[Distance, Distance], tolerance: Tolerance
) -> Verdict:
    """Whether the first step does what the baseline's does, and no further from it than its noise allows.

    `distances` are those of the run and of the noise.
    """
    found, noise = distances
    kinds = list(differences_in_kind(run, baseline))
    floors = {"loss": tolerance.floor, "gradients": tolerance.floor, "updates": tolerance.update_floor}
    limits = {name: tolerance.step_factor * getattr(noise, name) + floor for name, floor in floors.items()}
    limits["scale"] = tolerance.scale
    over = [name for name, limit in limits.items() if not getattr(found, name) <= limit]
    numbers = {f"{name}_error": getattr(found, name) for name in limits} | {f"{n}_limit": v for n, v in limits.items()}
    if kinds:
        return Verdict(gate="step", outcome=Outcome.FAIL, message="; ".join(kinds[:3]), numbers=numbers)
    figures = ", ".join(
        f"{name} off by {getattr(found, name):.1e} (limit {limit:.1e})" for name, limit in limits.items()
    )
    outcome = Outcome.FAIL if over else Outcome.PASS
    return Verdict(gate="step", outcome=outcome, message=f"first step: {figures}", numbers=numbers)


def drift_verdict(distances: tuple[Distance, Distance], tolerance: Tolerance) -> Verdict:
    """Whether the loss stays as near to the baseline's as its noise allows; `distances` as for the step."""
    found, noise = distances
    limits = {name: tolerance.drift_factor * getattr(noise, name) + tolerance.floor for name in ("early", "late")}
    numbers = {f"{name}_rms": getattr(found, name) for name in limits} | {f"{n}_limit": v for n, v in limits.items()}
    message = (
        f"loss drifts by {found.early:.1e} over the first ten steps (limit {limits['early']:.1e}) "
        f"and {found.late:.1e} over the last ten (limit {limits['late']:.1e})"
    )
    passed = all(getattr(found, name) <= limit for name, limit in limits.items())
    return Verdict(gate="drift", outcome=Outcome.PASS if passed else Outcome.FAIL, message=message, numbers=numbers)


def unpaired_verdict(runs: list[Observation], plain: list[Observation]) -> Verdict:
    """Whether the last losses of the runs are no higher than those of plain ones, by more than a margin.

    The margin is a twentieth of what training gains, or a hundredth of the loss where that is more; the interval of
    the difference is Welch's at 95 %.
    """
    from scipy import stats

    ours, theirs = ([float(np.nanmean(run.losses[-10:])) for run in group] for group in (runs, plain))
    start = float(np.mean([np.nanmean(run.losses[:3]) for run in plain]))
    margin = 0.05 * max(start - float(np.mean(theirs)), 0.2 * abs(float(np.mean(theirs))))
    bounds = stats.ttest_ind(ours, theirs, equal_var=False).confidence_interval(0.95)
    difference = f"[{bounds.low:+.3g}, {bounds.high:+.3g}]"
    message = f"last losses differ by {difference} over {len(runs)} runs of each (margin {margin:.3g})"
    outcome = Outcome.FAIL if bounds.low > margin else Outcome.INCONCLUSIVE
    outcome = Outcome.PASS if bounds.high <= margin else outcome
    numbers = {"low": float(bounds.low), "high": float(bounds.high), "margin": margin}
    return Verdict(gate="drift", outcome=outcome, message=message, numbers=numbers)
