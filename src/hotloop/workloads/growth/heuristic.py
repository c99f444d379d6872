"""The heuristic controller: grow where the host does not get further, keep what helps, take out what hurts."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic.dataclasses import dataclass

from hotloop.train.options import CHECKED, Count, NotNegative, Positive
from hotloop.workloads.growth.actions import WAIT, ActionSpace, GrowthAction
from hotloop.workloads.growth.alpha_schedules import AlphaSchedule
from hotloop.workloads.growth.growth_view import GrowthView, SlotView, finite_or
from hotloop.workloads.growth.stages import ALIVE, SlotStage


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class HeuristicOptions:
    """Defaults are esper-lite's. Accuracies are in percentage points.

    A seed germinates where none is alive, the host is stabilized, `first_epoch` is over, the plateau lasts
    `plateau_epochs`, and nothing was pruned in the last `rest_epochs`. Blueprints take turns; one that was pruned pays
    `penalty`, which shrinks by `decay` an epoch, and is passed over while it is at `penalty_limit` or more. A seed that
    has cost `drop` after `patience` epochs of a stage is pruned. `blueprints` are those to use, in this order (empty:
    all that are registered); `schedule` is how they are blended in.
    """

    first_epoch: Count = 5
    plateau_epochs: Count = 3
    rest_epochs: Count = 5
    penalty: NotNegative = 2.0
    decay: Positive = 0.5
    penalty_limit: Positive = 3.0
    patience: Count = 5
    drop: Positive = 2.0
    blueprints: tuple[str, ...] = ()
    schedule: AlphaSchedule = "sigmoid"


class HeuristicController:
    """Decides by rules alone; equal views give equal decisions."""

    def __init__(self, options: HeuristicOptions, space: ActionSpace) -> None:
        self._options, self._space = options, space
        self._penalties = dict.fromkeys(space.blueprints, 0.0)
        self._next = 0
        self._last_pruned: int | None = None

    def decide(self, view: GrowthView) -> GrowthAction:
        self._penalties = {name: value * self._options.decay for name, value in self._penalties.items()}
        for name, slot in view.slots.items():
            action = self._judged(name, slot, view.epoch)
            if action is not None:
                return action
        return self._germination(view) or WAIT

    def state(self) -> dict[str, Any]:
        return {"penalties": dict(self._penalties), "next": self._next, "last_pruned": self._last_pruned}

    def restore_state(self, data: Mapping[str, Any]) -> None:
        self._penalties, self._next = dict(data["penalties"]), data["next"]
        self._last_pruned = data["last_pruned"]

    def _judged(self, name: str, slot: SlotView, epoch: int) -> GrowthAction | None:
        """What is to become of a live seed; None to let it be."""
        if slot.stage not in ALIVE:
            return None
        has_dropped = (
            slot.epochs_in_stage >= self._options.patience
            and finite_or(slot.stage_improvement, 0.0) < -self._options.drop
        )
        if has_dropped or slot.is_harmful:
            return self._pruning(name, slot, epoch)
        # A contribution is measured at the end of each epoch on probation, so the first decision may have to wait.
        if slot.stage is not SlotStage.HOLDING or not slot.epochs_in_stage:
            return None
        worth = finite_or(slot.contribution, slot.total_improvement)
        if worth > 0.0:
            return GrowthAction(operation="fossilize", slot=name)
        return self._pruning(name, slot, epoch)

    def _pruning(self, name: str, slot: SlotView, epoch: int) -> GrowthAction:
        self._penalties[slot.blueprint] = self._penalties.get(slot.blueprint, 0.0) + self._options.penalty
        self._last_pruned = epoch
        return GrowthAction(operation="prune", slot=name)

    def _germination(self, view: GrowthView) -> GrowthAction | None:
        options = self._options
        rests = self._last_pruned is not None and view.epoch - self._last_pruned < options.rest_epochs
        is_due = view.is_stabilized and view.epoch >= options.first_epoch
        if rests or not is_due or view.plateau_epochs < options.plateau_epochs:
            return None
        free = [name for name, slot in view.slots.items() if slot.stage is SlotStage.DORMANT]
        if not free or any(slot.stage in ALIVE for slot in view.slots.values()):
            return None
        blueprint = self._rotated(self._space.blueprints)
        if blueprint is None:
            return None
        return GrowthAction(operation="germinate", slot=free[0], blueprint=blueprint, schedule=options.schedule)

    def _rotated(self, names: Sequence[str]) -> str | None:
        for offset in range(len(names)):
            name = names[(self._next + offset) % len(names)]
            if self._penalties[name] < self._options.penalty_limit:
                self._next = (self._next + offset + 1) % len(names)
                return name
        return None
