"""What growing was worth, for a controller that learns: shaped every epoch, or once at the end."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from hotloop.workloads.growth.actions import Operation
from hotloop.workloads.growth.growth_view import GrowthView, SlotView, finite_or
from hotloop.workloads.growth.stages import SlotStage

RewardKind = Literal["shaped", "sparse"]

# esper-lite's: what a slot is worth by its stage, and by the epochs it has been there.
_POTENTIALS: Mapping[SlotStage, float] = {
    SlotStage.GERMINATED: 1.0,
    SlotStage.TRAINING: 2.0,
    SlotStage.BLENDING: 3.5,
    SlotStage.HOLDING: 5.5,
    SlotStage.FOSSILIZED: 6.0,
}
_PER_EPOCH, _MOST_OF_EPOCHS = 0.3, 2.0
_SHAPING, _RENT, _MOST_RENT, _GAIN = 0.3, 0.5, 8.0, 0.3
_ACCURACY, _FOSSIL = 0.05, 3.0
_COSTS: Mapping[Operation, float] = {"wait": 0.0, "germinate": 0.02, "fossilize": 0.01, "prune": 0.005}


@dataclass(frozen=True, kw_only=True)
class GrowthReward:
    """The parts of a reward, which add up to `total`."""

    attribution: float = 0.0
    shaping: float = 0.0
    rent: float = 0.0
    cost: float = 0.0
    terminal: float = 0.0

    @property
    def total(self) -> float:
        """All parts together."""
        return self.attribution + self.shaping - self.rent - self.cost + self.terminal


def potential(view: GrowthView) -> float:
    """The sum over slots of the potential of the stage and of the epochs in it; 0 where nothing grows."""
    worth = 0.0
    for slot in view.slots.values():
        of_stage = _POTENTIALS.get(slot.stage)
        if of_stage is not None:
            worth += of_stage + min(_PER_EPOCH * slot.epochs_in_stage, _MOST_OF_EPOCHS)
    return worth


def shaping(before: GrowthView, after: GrowthView, *, gamma: float, is_last: bool) -> float:
    """0.3 (gamma phi' - phi), with phi' = 0 after the last step, so that no policy gains by it.

    Source: Ng, Harada, Russell 1999: potential-based shaping leaves the best policy what it was.
    """
    return _SHAPING * (gamma * (0.0 if is_last else potential(after)) - potential(before))


def rent(view: GrowthView, *, grown: int | None = None) -> float:
    """What the added parameters, `grown` or those of the view, cost: min(0.5 log(1 + added / host), 8)."""
    added = view.grown_parameters if grown is None else grown
    return min(_RENT * math.log1p(added / view.host_parameters), _MOST_RENT)


def attribution(slot: SlotView, accuracy_change: float) -> float:
    """What the seed of a slot is credited with, in percentage points.

    Before it takes part, 0.3 of what the epoch gained. Then its contribution c, where that is negative; else no more
    than the progress p since it was planted allows: 0 without progress, sqrt(p c) where c is above p, else c.
    """
    if slot.stage is SlotStage.TRAINING:
        return _GAIN * max(0.0, accuracy_change)
    if slot.stage not in (SlotStage.BLENDING, SlotStage.HOLDING):
        return 0.0
    contribution, progress = finite_or(slot.contribution, 0.0), finite_or(slot.total_improvement, 0.0)
    if contribution < 0.0:
        return contribution
    if progress <= 0.0:
        return 0.0
    return math.sqrt(progress * contribution) if contribution >= progress else contribution


def reward(
    kind: RewardKind,
    before: GrowthView,
    operation: Operation,
    after: GrowthView,
    *,
    gamma: float,
    is_last: bool,
    grown: int | None = None,
) -> GrowthReward:
    """The reward of what was decided on `before` and led to `after`, an epoch later.

    "sparse" is 0 but for the end: 0.05 of the accuracy, less the rent. "shaped" pays attribution, shaping, rent and
    cost each epoch, and at the end 0.05 of the accuracy and 3 for each seed that was kept. `grown` are the added
    parameters of the network that has the accuracy: a seed that the clock took out since pays rent for that epoch.
    """
    if kind == "sparse":
        if not is_last:
            return GrowthReward()
        return GrowthReward(rent=rent(after, grown=grown), terminal=_ACCURACY * finite_or(after.accuracy, 0.0))
    fossils = sum(slot.stage is SlotStage.FOSSILIZED for slot in after.slots.values())
    return GrowthReward(
        attribution=sum(attribution(slot, after.accuracy_change) for slot in after.slots.values()),
        shaping=shaping(before, after, gamma=gamma, is_last=is_last),
        rent=rent(after, grown=grown) / after.epochs,  # over a run, about what the sparse reward takes at its end
        cost=_COSTS[operation],
        terminal=(_ACCURACY * finite_or(after.accuracy, 0.0) + _FOSSIL * fossils) if is_last else 0.0,
    )
