"""The parity gate of plans that train otherwise by design: the loss at equal steps, over seeds."""

from collections.abc import Sequence

import numpy as np

from hotloop.compare.inference import CONFIDENCE
from hotloop.compare.learning_run import LearningRun
from hotloop.compare.time_to_target import FEWEST_RUNS, runs_needed
from hotloop.verdict import Outcome, Verdict
from hotloop.verify.verdicts import loss_margin

_FIRST = 3  # steps whose mean stands for the loss before training


def parity_verdict(runs: Sequence[LearningRun], plain: Sequence[LearningRun]) -> Verdict:
    """PASS where the last loss at equal steps is no higher than that of plain runs plus a margin, FAIL where higher.

    Unpaired: Welch's interval of the difference of means. It is told in both directions; a lower loss passes, since
    learning sooner is what such a plan is for, and the verdict says that it is another training. Fewer than four runs
    of each, or an interval that holds the margin, are INCONCLUSIVE.
    """
    steps = min(run.steps for run in (*runs, *plain))
    ours, theirs = (np.asarray([run.last(steps) for run in group]) for group in (runs, plain))
    if not np.isfinite(theirs).all():
        return _verdict(Outcome.INCONCLUSIVE, "the loss of the untransformed program is not finite")
    if not np.isfinite(ours).all():
        count = int((~np.isfinite(ours)).sum())
        return _verdict(Outcome.FAIL, f"the loss of {count} of {len(ours)} runs under the plan is not finite")
    start = float(np.mean([np.nanmean(run.losses[:_FIRST]) for run in plain]))
    margin = loss_margin(start, float(theirs.mean()))
    low, high = _welch(ours, theirs)
    numbers = {"low": low, "high": high, "margin": margin, "runs": float(len(ours)), "steps": float(steps)}
    figures = f"[{low:+.3g}, {high:+.3g}] over {len(ours)} runs of each (margin {margin:.3g})"
    if min(len(ours), len(theirs)) < FEWEST_RUNS:
        message = f"{len(ours)} runs of each were made and {FEWEST_RUNS} are needed at least: give a larger --budget"
        return _verdict(Outcome.INCONCLUSIVE, message, numbers)
    if low > margin:
        return _verdict(Outcome.FAIL, f"after {steps} steps the loss is higher, by {figures}", numbers)
    if high <= margin:
        said = "is lower, so this is another training," if high < -margin else "is no higher:"
        return _verdict(Outcome.PASS, f"after {steps} steps the loss {said} it differs by {figures}", numbers)
    needed = runs_needed(len(ours), half=(high - low) / 2, gap=abs(margin - (high + low) / 2))
    message = f"after {steps} steps the loss differs by {figures}; about {needed} runs of each would be needed"
    return _verdict(Outcome.INCONCLUSIVE, message, numbers)


def _welch(
    ours: "np.ndarray[tuple[int], np.dtype[np.float64]]", theirs: "np.ndarray[tuple[int], np.dtype[np.float64]]"
) -> tuple[float, float]:
    from scipy import stats

    gap = float(ours.mean() - theirs.mean())
    if min(len(ours), len(theirs)) < 2 or (ours.std() == 0 and theirs.std() == 0):
        return gap, gap
    bounds = stats.ttest_ind(ours, theirs, equal_var=False).confidence_interval(CONFIDENCE)
    return float(bounds.low), float(bounds.high)


def _verdict(outcome: Outcome, message: str, numbers: dict[str, float] | None = None) -> Verdict:
    return Verdict(gate="parity", outcome=outcome, message=message, numbers=numbers or {})
