"""How much sooner runs under a plan reach the loss that the untransformed program reaches: unpaired, over seeds."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from hotloop.compare.comparison import MARGIN
from hotloop.compare.inference import CONFIDENCE
from hotloop.compare.learning_run import LearningRun
from hotloop.measurement import Interval
from hotloop.verdict import Outcome, Verdict

FEWEST_RUNS, MOST_RUNS = 4, 10
SHARES = (0.5, 0.75, 0.9)
"""The targets: what every run of the baseline has reached by this share of its steps. The last one decides."""

_LEARNED_LATE = 0.1


@dataclass(frozen=True, kw_only=True)
class TimeToTarget:
    """Runs under a plan beside runs of a baseline, each from seeds of its own."""

    baseline: Sequence[LearningRun]
    plan: Sequence[LearningRun]

    @property
    def width(self) -> int:
        """Steps whose mean loss meets a target: one batch says little, and a longer mean hides when it is met."""
        return max(5, self.baseline[0].steps // 20)

    def target(self, share: float = SHARES[-1]) -> float:
        """The loss that every run of the baseline has reached by this share of its steps."""
        return max(run.best_by(share, width=self.width) for run in self.baseline)

    def ratio(self, loss: float) -> Interval | None:
        """By how much sooner the plan reaches a loss, a Welch t interval on logs; None where one does not."""
        ours, theirs = ([run.seconds_to(loss, width=self.width) for run in runs] for runs in (self.plan, self.baseline))
        if None in ours or None in theirs or min(len(ours), len(theirs)) < 2:
            return None
        return welch_ratio([t for t in theirs if t is not None], [t for t in ours if t is not None])

    def missed(self, loss: float) -> int:
        """How many runs under the plan never reach a loss."""
        return sum(run.seconds_to(loss, width=self.width) is None for run in self.plan)

    @property
    def problem(self) -> str:
        """Why nothing can be told of these runs; empty where it can."""
        if min(len(self.baseline), len(self.plan)) < FEWEST_RUNS:
            return (
                f"{len(self.plan)} runs of each were made and {FEWEST_RUNS} are needed at least: give a larger --budget"
            )
        if len({tuple(run.losses) for run in self.baseline}) == 1:
            return (
                "all runs of the untransformed program have the same losses, whatever the seed: it draws no random "
                "numbers that hotloop can seed, and so there is no spread to judge by"
            )
        target = self.target()
        if not math.isfinite(target):
            return "the loss of the untransformed program is not finite"
        early = [
            run for run in self.baseline if (run.step_at(target, width=self.width) or 0) <= _LEARNED_LATE * run.steps
        ]
        if early:
            return (
                f"the loss of the untransformed program falls no further after the first tenth of its "
                f"{self.baseline[0].steps} steps, so there is no target to meet: train longer, or with a larger "
                "--budget"
            )
        return ""

    def verdict(self) -> Verdict:
        """PASS where the last target is met sooner by more than the margin, FAIL where it is not, else INCONCLUSIVE."""
        numbers = {"margin": MARGIN, "runs": float(len(self.plan))}
        if self.problem:
            return Verdict(gate="speed", outcome=Outcome.INCONCLUSIVE, message=self.problem, numbers=numbers)
        target, found = self.target(), self.ratio(self.target())
        if found is None:
            missed, count = self.missed(target), len(self.plan)
            message = f"{missed} of {count} runs under the plan never reach a loss of {target:.4g}"
            outcome = Outcome.FAIL if missed > count / 2 else Outcome.INCONCLUSIVE
            return Verdict(gate="speed", outcome=outcome, message=message, numbers=numbers | {"target": target})
        numbers |= {"ratio": found.ratio, "low": found.low, "high": found.high, "target": target}
        outcome, said = self._finding(found)
        message = (
            f"{said}: a loss of {target:.4g} is reached {found.ratio:.3f} times as fast ({found.low:.3f} to "
            f"{found.high:.3f} over {len(self.plan)} runs of each; margin {MARGIN:.0%})"
        )
        return Verdict(gate="speed", outcome=outcome, message=message, numbers=numbers)

    def _finding(self, found: Interval) -> tuple[Outcome, str]:
        if found.low > 1 + MARGIN:
            return Outcome.PASS, "proven sooner"
        if found.high < 1 / (1 + MARGIN):
            return Outcome.FAIL, "proven later"
        if found.high < 1 + MARGIN:
            return Outcome.FAIL, "any gain is proven to be too small to claim"
        needed = runs_needed(len(self.plan), half=math.log(found.high / found.ratio), gap=_gap(found.ratio))
        return Outcome.INCONCLUSIVE, f"cannot tell, about {needed} runs of each would be needed"


def welch_ratio(baseline: Sequence[float], plan: Sequence[float]) -> Interval:
    """Baseline over plan of positive figures, with Welch's interval on the logs."""
    from scipy import stats

    ours, theirs = [math.log(t) for t in plan], [math.log(t) for t in baseline]
    centre = math.fsum(theirs) / len(theirs) - math.fsum(ours) / len(ours)
    if max(theirs) == min(theirs) and max(ours) == min(ours):
        return Interval(ratio=math.exp(centre), low=math.exp(centre), high=math.exp(centre))
    bounds = stats.ttest_ind(theirs, ours, equal_var=False).confidence_interval(CONFIDENCE)
    return Interval(ratio=math.exp(centre), low=math.exp(float(bounds.low)), high=math.exp(float(bounds.high)))


def runs_needed(runs: int, *, half: float, gap: float) -> int:
    """About how many runs would make an interval of this half-width narrower than `gap`; at most 1000."""
    return min(1000, max(runs + 1, math.ceil(runs * (half / max(gap, 1e-9)) ** 2)))


def _gap(ratio: float) -> float:
    """How far the logarithm of a ratio is from that of the margin."""
    return abs(math.log(ratio) - math.log(1 + MARGIN))
