"""A comparison of two arms: its estimates beside those of the A/A arm, and what may be claimed from them."""

import math
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from functools import cached_property

from hotloop.compare.inference import CONFIDENCE, aa_floor, check_estimates, combine
from hotloop.errors import MeasurementError
from hotloop.estimate import Estimate
from hotloop.measurement import Interval
from hotloop.verdict import Outcome, Verdict

MARGIN = 0.02
"""The smallest relative difference that is worth a claim."""

MINIMUM_REPLICATES, MAXIMUM_REPLICATES = 3, 10


@dataclass(frozen=True)
class Comparison:
    """One estimate for each replicate of the candidate, and of the A/A arm of the same replicates.

    A claim must clear `margin` and the A/A floor by the whole interval at `confidence`.
    """

    estimates: Sequence[Estimate]
    aa: Sequence[Estimate]
    _: KW_ONLY
    margin: float = MARGIN
    confidence: float = CONFIDENCE

    @property
    def replicates(self) -> int:
        """Sets of fresh processes that were measured."""
        return len(self.estimates)

    @cached_property
    def interval(self) -> Interval:
        """The ratio of the candidate over all replicates. Raises MeasurementError where there are none."""
        return combine(self.estimates, self.aa, confidence=self.confidence)

    @cached_property
    def aa_interval(self) -> Interval:
        """The ratio of the A/A arm. Raises MeasurementError where there are no replicates of it."""
        return combine(self.aa, self.aa, confidence=self.confidence)

    @cached_property
    def floor(self) -> float:
        """What this machine invents between equal workers; see `aa_floor`."""
        return aa_floor(self.aa)

    @property
    def threshold(self) -> float:
        """The relative difference that a claim must clear."""
        return max(self.margin, self.floor)

    @property
    def problem(self) -> str:
        """Why these replicates can claim nothing; empty where they can."""
        try:
            check_estimates(self.estimates, "replicate")
            check_estimates(self.aa, "A/A replicate")
        except MeasurementError as error:
            return f"cannot tell: {error}"
        if min(len(self.estimates), len(self.aa)) < MINIMUM_REPLICATES:
            return (
                f"cannot tell: got {len(self.estimates)} replicates and {len(self.aa)} A/A replicates; "
                f"a claim needs at least {MINIMUM_REPLICATES} of each: give a larger --budget"
            )
        return ""

    @property
    def is_faster(self) -> bool:
        """Whether a gain is a proven claim."""
        return not self.problem and self.interval.low > 1 + self.threshold

    @property
    def is_slower(self) -> bool:
        """Whether a slow-down is a proven claim: the mirror image, with the same threshold."""
        return not self.problem and self.interval.high < 1 / (1 + self.threshold)

    @property
    def is_no_gain(self) -> bool:
        """Whether any gain is shown to stay inside the margin."""
        return not self.problem and self.interval.high < 1 + self.margin

    @property
    def is_no_loss(self) -> bool:
        """Whether any slow-down is shown to stay inside the margin."""
        return not self.problem and self.interval.low > 1 / (1 + self.margin)

    def decided(
        self, *, minimum: int = MINIMUM_REPLICATES, maximum: int = MAXIMUM_REPLICATES, either_way: bool = True
    ) -> bool:
        """Whether to stop taking replicates: enough of them, or a claim that stands.

        `either_way` also waits for a slow-down to be proven, or shown to stay inside the margin; without it the first
        FAIL ends the series, which is what a search for gains wants.
        """
        if self.replicates < minimum or self.replicates >= maximum:
            return self.replicates >= minimum
        return self.is_faster or self.is_slower or (self.is_no_gain and (not either_way or self.is_no_loss))

    def verdict(self) -> Verdict:
        """PASS where faster by more than margin and floor, FAIL where slower or not worth a claim, else INCONCLUSIVE.

        `numbers` holds those of ratio, low, high, floor, margin, replicates that are finite, and proven_slower (0, 1).
        """
        numbers = {
            "margin": self.margin,
            "replicates": float(self.replicates),
            "proven_slower": float(self.is_slower),
        }
        if self.problem:
            return Verdict(gate="speed", outcome=Outcome.INCONCLUSIVE, message=self.problem, numbers=numbers)
        outcome, finding = self._finding()
        interval = self.interval
        message = (
            f"{finding}: {interval.ratio:.3f} times the speed ({interval.low:.3f} to {interval.high:.3f} "
            f"over {self.replicates} replicates), to be judged against the larger of the {self.margin:.1%} margin "
            f"and the {self.floor:.1%} A/A floor"
        )
        numbers |= {"ratio": interval.ratio, "low": interval.low, "high": interval.high, "floor": self.floor}
        finite = {name: value for name, value in numbers.items() if math.isfinite(value)}
        return Verdict(gate="speed", outcome=outcome, message=message, numbers=finite)

    def _finding(self) -> tuple[Outcome, str]:
        if self.is_faster:
            return Outcome.PASS, "proven faster"
        if self.is_slower:
            return Outcome.FAIL, "proven slower"
        if self.is_no_gain:
            return Outcome.FAIL, "any gain is proven to be too small to claim"
        return Outcome.INCONCLUSIVE, "cannot tell"
