"""What a learned controller is shown: one row of numbers an epoch, all of about the same size."""

import math
from collections.abc import Sequence

from hotloop.workloads.growth.growth_view import GrowthView, SlotView, finite_or
from hotloop.workloads.growth.stages import SlotStage

_STAGES = tuple(SlotStage)
_NETWORK_FEATURES, _SLOT_FEATURES = 11, 7 + len(_STAGES)


def row_size(num_slots: int, num_blueprints: int) -> int:
    """Numbers in a row."""
    return _NETWORK_FEATURES + num_slots * (_SLOT_FEATURES + num_blueprints)


def observed_row(view: GrowthView, blueprints: Sequence[str], *, chance_loss: float) -> list[float]:
    """The row of an epoch; its first number is 1, which marks it as one that was lived through."""
    row = [
        1.0,
        view.epoch / view.epochs,
        _bounded(view.train_loss / chance_loss),
        _bounded(view.validation_loss / chance_loss),
        finite_or(view.accuracy, 0.0) / 100.0,
        _bounded(view.accuracy_change / 10.0),
        view.best_accuracy / 100.0,
        min(view.plateau_epochs, 10) / 10.0,
        float(view.is_stabilized),
        math.log1p(view.grown_parameters / view.host_parameters),
        finite_or(view.best_accuracy - view.accuracy, 0.0) / 10.0,
    ]
    for slot in view.slots.values():
        row += _slot_features(slot, blueprints, view.host_parameters)
    return row


def _slot_features(slot: SlotView, blueprints: Sequence[str], host_parameters: int) -> list[float]:
    measured = (slot.stage_improvement, slot.total_improvement, slot.contribution)
    return [
        min(slot.epochs_in_stage, 10) / 10.0,
        slot.alpha,
        *(_bounded(value / 10.0) for value in measured),
        _bounded(slot.gradient_ratio),
        math.log1p(slot.seed_parameters / host_parameters),
        *(float(slot.stage is stage) for stage in _STAGES),
        *(float(slot.blueprint == name) for name in blueprints),
    ]


def _bounded(value: float) -> float:
    """Between -3 and 3; 0 for what was never measured."""
    return min(max(finite_or(value, 0.0), -3.0), 3.0)
