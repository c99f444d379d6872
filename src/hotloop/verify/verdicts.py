"""Distances and losses of runs turned into the verdicts of the step gate and the drift gate."""

from collections.abc import Collection, Sequence

import numpy as np

from hotloop.verdict import Outcome, Verdict
from hotloop.verify.differences import differences_in_kind
from hotloop.verify.distance import Distance
from hotloop.verify.tolerance import REDUCED, Tolerance
from hotloop.worker.observation import Observation

_FEWEST_RUNS = 4
_KINDS_TOLD = 4
_ROUNDED = {"updates": 2.0, "placement": 8.0}  # by how much they may be over their limits and be rounding
_ALWAYS_TOLD = ("loss", "gradients", "updates", "scale")


def step_verdict(
    run: Observation,
    baseline: Observation,
    distances: tuple[Distance, Distance],
    tolerance: Tolerance,
    *,
    declared: Collection[str] = (),
    others: Sequence[str] = (),
    lengths: Sequence[str] = (),
) -> Verdict:
    """Whether the steps do what the baseline's do, and no further from it than its noise allows.

    `distances` are those of the run and of the noise, `declared` the settings that the plan says it changes, `others`
    differences that were found elsewhere, `lengths` those of gradients, each of which is a reason to refuse.
    """
    found, noise = distances
    kinds = [*differences_in_kind(run, baseline, declared=declared), *others]
    limits = _limits(noise, tolerance)
    over = [name for name, limit in limits.items() if not getattr(found, name) <= limit]
    numbers = {f"{name}_error": getattr(found, name) for name in limits} | {f"{n}_limit": v for n, v in limits.items()}
    if kinds:
        return Verdict(gate="step", outcome=Outcome.FAIL, message="; ".join(kinds[:_KINDS_TOLD]), numbers=numbers)
    figures = ", ".join(
        f"{name.replace('_', ' ')} off by {getattr(found, name):.1e} (limit {limit:.1e})"
        for name, limit in limits.items()
        if name in _ALWAYS_TOLD or name in over
    )
    message = "; ".join([f"first step: {figures}", *lengths])
    if over == ["scale"] and not lengths and _scale_is_own_noise(found, noise, tolerance):
        message = (
            f"rounding alone changes the size of the gradients by {noise.scale:.0%}, so that whether the plan scales "
            f"them cannot be told; {message}"
        )
        return Verdict(gate="step", outcome=Outcome.INCONCLUSIVE, message=message, numbers=numbers)
    if over and not lengths and _are_steps_of_rounding(found, limits, over, tolerance):
        message = (
            "losses and gradients agree, and the updates are further off than that: gradients that are zero but for "
            "rounding may have become whole steps (Adam divides by their size), which cannot be told from a fault; "
            f"{message}"
        )
        return Verdict(gate="step", outcome=Outcome.INCONCLUSIVE, message=message, numbers=numbers)
    outcome = Outcome.FAIL if over or lengths else Outcome.PASS
    return Verdict(gate="step", outcome=outcome, message=message, numbers=numbers)


def _limits(noise: Distance, tolerance: Tolerance) -> dict[str, float]:
    floors = {
        "loss": tolerance.floor,
        "gradients": tolerance.gradients,
        "updates": tolerance.update_floor,
        "placement": tolerance.update_floor,
        "buffers": tolerance.buffers,
        "later_gradients": tolerance.later,
        "later_scale": tolerance.later,
        "later_placement": tolerance.later,
    }
    limits = {name: tolerance.step_factor * getattr(noise, name) + floor for name, floor in floors.items()}
    return {**limits, "scale": tolerance.scale}


def _scale_is_own_noise(found: Distance, noise: Distance, tolerance: Tolerance) -> bool:
    """Whether rounding alone moves the size of the gradients beyond the fixed limit, and as far as the run does.

    So it is where a line search takes them at other points under another rounding (L-BFGS under bf16).
    """
    return tolerance.scale < noise.scale and found.scale <= tolerance.step_factor * noise.scale


def _are_steps_of_rounding(found: Distance, limits: dict[str, float], over: list[str], tolerance: Tolerance) -> bool:
    """Whether, under reduced precision, nothing but updates is over its limit, and none of them far.

    Noise on the weights leaves such gradients at zero (the bias of attention's keys, a third of one tensor), and bf16
    does not: of 200 random programs, six sound ones had updates at 1.2 and placement at up to 6 times the limit.
    """
    if tolerance != REDUCED or not set(over) <= _ROUNDED.keys():
        return False
    return all(getattr(found, name) <= _ROUNDED[name] * limits[name] for name in over)


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


def unpaired_verdict(runs: Sequence[Observation], plain: Sequence[Observation]) -> Verdict:
    """Whether the last losses of the runs are those of plain ones, neither higher nor lower by more than a margin.

    The interval of the mean difference is Student's at 95 %, over runs from the same seed where they have one.
    """
    from scipy import stats

    ours, theirs = ([_last_loss(run) for run in group] for group in (runs, plain))
    start = float(np.mean([np.nanmean(run.losses[:3]) for run in plain]))
    margin = loss_margin(start, float(np.mean(theirs)))
    gaps = np.asarray(ours) - np.asarray(theirs)
    low = high = float(gaps.mean())
    if gaps.std() > 0:
        bounds = stats.ttest_1samp(gaps, 0.0).confidence_interval(0.95)
        low, high = float(bounds.low), float(bounds.high)
    message = f"last losses differ by [{low:+.3g}, {high:+.3g}] over {len(runs)} runs of each (margin {margin:.3g})"
    outcome = Outcome.FAIL if low > margin or high < -margin else Outcome.INCONCLUSIVE
    outcome = Outcome.PASS if len(runs) >= _FEWEST_RUNS and -margin <= low and high <= margin else outcome
    numbers = {"low": low, "high": high, "margin": margin}
    return Verdict(gate="drift", outcome=outcome, message=message, numbers=numbers)


def loss_margin(start: float, last: float) -> float:
    """How far a last loss may be off: a twentieth of what training gains, or a hundredth of the loss if more."""
    return 0.05 * max(start - last, 0.2 * abs(last))


def _last_loss(run: Observation) -> float:
    """The mean over the last ten steps, or the last half where that is more, of the finite losses."""
    last = np.asarray(run.losses[-max(10, len(run.losses) // 2) :])
    return float(last[np.isfinite(last)].mean()) if np.isfinite(last).any() else float("nan")
