"""What a controller may do in an epoch; all of it is generated from the slots and the registered blueprints."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from hotloop.errors import WorkloadError
from hotloop.workloads.growth.alpha_schedules import SCHEDULES, AlphaSchedule
from hotloop.workloads.growth.blueprint import blueprint_names
from hotloop.workloads.growth.host import HostKind
from hotloop.workloads.growth.stages import ALIVE, SlotStage

Operation = Literal["wait", "germinate", "fossilize", "prune"]
OPERATIONS: tuple[Operation, ...] = get_args(Operation)


@dataclass(frozen=True, kw_only=True)
class GrowthAction:
    """One decision; `slot` is None for "wait" alone, `blueprint` and `schedule` are for "germinate" alone."""

    operation: Operation
    slot: str | None = None
    blueprint: str | None = None
    schedule: AlphaSchedule | None = None


WAIT = GrowthAction(operation="wait")


class ActionSpace:
    """Every decision that there is, numbered; `blueprints` are all that are registered for the host, unless given.

    `factors` has for each action what it chooses, head by head (operation, slot, blueprint, schedule), cut off after
    the last choice that it has: waiting chooses no slot.
    Raises WorkloadError for a blueprint that is not for this host.
    """

    def __init__(self, host: HostKind, slots: Sequence[str], *, blueprints: Sequence[str] = ()) -> None:
        known = blueprint_names(host)
        if wrong := [name for name in blueprints if name not in known]:
            raise WorkloadError(
                f"got the blueprints {', '.join(wrong)}; for hosts of kind {host!r} there are {', '.join(known)}"
            )
        self.slots = tuple(slots)
        self.blueprints = tuple(blueprints) or known
        schedules: tuple[AlphaSchedule, ...] = get_args(AlphaSchedule)
        assert set(schedules) == set(SCHEDULES)
        actions: list[GrowthAction] = [WAIT]
        factors: list[tuple[int, ...]] = [(0,)]
        for slot_index, slot in enumerate(self.slots):
            for blueprint_index, blueprint in enumerate(self.blueprints):
                for schedule_index, schedule in enumerate(schedules):
                    actions.append(
                        GrowthAction(operation="germinate", slot=slot, blueprint=blueprint, schedule=schedule)
                    )
                    factors.append((1, slot_index, blueprint_index, schedule_index))
            for index, operation in enumerate(OPERATIONS[2:], start=2):
                actions.append(GrowthAction(operation=operation, slot=slot))
                factors.append((index, slot_index))
        self.actions, self.factors = tuple(actions), tuple(factors)
        self._numbers = {action: number for number, action in enumerate(self.actions)}

    def __len__(self) -> int:
        return len(self.actions)

    def number(self, action: GrowthAction) -> int:
        """The number of an action. Raises WorkloadError for one that is not in this space."""
        if action not in self._numbers:
            raise WorkloadError(
                f"got {action}; slots are {', '.join(self.slots)}, blueprints {', '.join(self.blueprints)}: "
                "choose from those"
            )
        return self._numbers[action]

    def legal(self, stages: Mapping[str, SlotStage]) -> Tensor:
        """Mask of what may be chosen in these stages, bool (A,); waiting always may."""
        return torch.tensor([is_legal(action, stages) for action in self.actions])


def is_legal(action: GrowthAction, stages: Mapping[str, SlotStage]) -> bool:
    """Whether the stage of the action's slot allows it; a gate may still refuse."""
    if action.slot is None:
        return True
    stage = stages[action.slot]
    if action.operation == "germinate":
        return stage is SlotStage.DORMANT
    return stage is SlotStage.HOLDING if action.operation == "fossilize" else stage in ALIVE
