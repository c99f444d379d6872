"""The loss of base and head after equally many steps, from the same seeds."""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import replace

from hotloop.compare.inference import CONFIDENCE, t_quantile
from hotloop.guard.limits import GuardSettings, Limit
from hotloop.guard.metric import Metric, unknown
from hotloop.transform import Plan
from hotloop.verdict import Outcome
from hotloop.worker.observation import watch
from hotloop.worker.process import Settings
from hotloop.worker.spec import ObservationSpec
from hotloop.workload import Workload

_TAIL = 1 / 3  # of the steps: the loss of a single batch says little
_FEWEST = 3


def compare_losses(
    workloads: tuple[Workload, Workload], settings: GuardSettings, worker: Settings, is_late: Callable[[], bool]
) -> Metric:
    """Equal losses of the first seed decide; else two more seeds at a time, until the difference is decided.

    It ends as well when all seeds are used, or when it `is_late`. Raises as workers do.
    """
    curves: list[tuple[Sequence[float], Sequence[float]]] = []
    found = unknown("loss", "nothing was run")
    while len(curves) < settings.seeds and not (curves and is_late()):
        seeds = range(len(curves), min(settings.seeds, len(curves) + 2)) if curves else range(1)
        ours, theirs = (_losses(workload, seeds, settings.steps, worker) for workload in workloads)
        curves += zip(ours, theirs, strict=True)
        found = judge_losses(curves, settings.limits["loss"])
        if found.verdict is not Outcome.INCONCLUSIVE:
            break
    return found


def _losses(workload: Workload, seeds: Sequence[int], steps: int, worker: Settings) -> list[Sequence[float]]:
    """Losses by step for each seed; a step that differentiated nothing has none, a loss that is NaN stays."""
    specs = [ObservationSpec(steps=steps, seed=seed, shift=seed, losses_only=True) for seed in seeds]
    observations = watch(workload, [(Plan(), spec) for spec in specs], worker)
    return [[loss for loss, each in zip(seen.losses, seen.each_loss, strict=True) if each] for seen in observations]


def judge_losses(curves: Sequence[tuple[Sequence[float], Sequence[float]]], limit: Limit) -> Metric:
    """The verdict on losses by step, of base and head for each seed.

    The mean of the last third stands for a run. The interval is a t interval over seeds on head minus base, which needs
    no positive losses; `limit` is relative to the size of the base's.
    """
    if any(len(ours) != len(theirs) or not ours for ours, theirs in curves):
        counts = " and ".join(str(len(curve)) for curve in curves[-1])
        return unknown("loss", f"base and head differentiated {counts} losses: train both for equally many steps")
    tails = [(_tail(ours), _tail(theirs)) for ours, theirs in curves]
    base, head = (statistics.fmean(values) for values in zip(*tails, strict=True))
    if not math.isfinite(base):
        return unknown("loss", "the loss of the base is not finite")
    if not math.isfinite(head):
        return Metric(name="loss", base=base, verdict=Outcome.FAIL, message=f"worse: {base:.4g} -> not finite")
    found = Metric(name="loss", base=base, head=head, verdict=Outcome.INCONCLUSIVE, message="")
    if all(list(ours) == list(theirs) for ours, theirs in curves):
        message = f"the same at each of {len(curves[0][0])} steps: {base:.4g} in the end"
        return replace(found, ratio=1.0, low=1.0, high=1.0, verdict=Outcome.PASS, message=message)
    return _judged(found, [theirs - ours for ours, theirs in tails], limit)


def _judged(found: Metric, differences: Sequence[float], limit: Limit) -> Metric:
    base, centre, count = found.base or 0.0, statistics.fmean(differences), len(differences)
    half = math.inf
    if count >= _FEWEST:
        half = t_quantile(CONFIDENCE, count - 1) * statistics.stdev(differences) / math.sqrt(count)
    size = abs(base) or 1.0
    low, high = (centre - half) / size, (centre + half) / size
    is_worse = low > limit.relative and low * size > limit.absolute
    is_excluded = high <= limit.resolution or high * size <= limit.absolute
    outcome = Outcome.FAIL if is_worse else Outcome.PASS if is_excluded else Outcome.INCONCLUSIVE
    said = {
        Outcome.FAIL: f"worse, proven beyond {limit.relative:.1%}",
        Outcome.PASS: f"not worse by {limit.resolution:.1%}",
        Outcome.INCONCLUSIVE: f"could not be told whether it is worse by more than {limit.relative:.1%}",
    }[outcome]
    figures = f"{base:.4g} -> {found.head:.4g}, {centre / size:+.2%} [{low:+.2%}, {high:+.2%}] over {count} seeds"
    ratios = {"ratio": 1 + centre / size, "low": 1 + low, "high": 1 + high} if base > 0 else {}
    return replace(found, verdict=outcome, message=f"{said}: {figures}", **ratios)


def _tail(losses: Sequence[float]) -> float:
    kept = losses[-max(1, int(_TAIL * len(losses))) :]
    return math.fsum(kept) / len(kept)
