"""Keeps the slots of one network: their lives, their clock, and what decisions do to them."""

import math

import torch
from torch.optim import Optimizer

from hotloop.train.events.stream import EventStream
from hotloop.workloads.growth.actions import GrowthAction, is_legal
from hotloop.workloads.growth.alpha_schedules import AlphaSchedule, alpha_at
from hotloop.workloads.growth.blueprint import build_seed
from hotloop.workloads.growth.gates import (
    GateOutcome,
    gate_blending,
    gate_germinated,
    gate_holding,
    gate_training,
)
from hotloop.workloads.growth.growing_network import GrowingNetwork
from hotloop.workloads.growth.growth_events import SlotGateEvaluated, SlotStageChanged
from hotloop.workloads.growth.growth_optimizer import add_seed, remove_seed
from hotloop.workloads.growth.growth_options import GrowthOptions
from hotloop.workloads.growth.growth_view import SlotView
from hotloop.workloads.growth.slot_life import SlotLife
from hotloop.workloads.growth.stages import ALIVE, SlotStage


class SlotKeeper:
    """The lives of all slots, kept in agreement with the network and the optimizer."""

    def __init__(
        self, network: GrowingNetwork, optimizer: Optimizer, options: GrowthOptions, events: EventStream
    ) -> None:
        self._network, self._optimizer, self._options, self._events = network, optimizer, options, events
        self.lives = {name: SlotLife() for name in network.slot_names}
        self.host_parameters = sum(parameter.numel() for parameter in network.host.parameters())

    def views(self, accuracy: float) -> dict[str, SlotView]:
        """What a controller sees of each slot, at this validation accuracy."""
        found: dict[str, SlotView] = {}
        for name, life in self.lives.items():
            slot = self._network.slot(name)
            found[name] = SlotView(
                stage=life.stage,
                epochs_in_stage=life.epochs_in_stage,
                alpha=life.alpha,
                stage_improvement=accuracy - life.stage_accuracy,
                total_improvement=accuracy - life.birth_accuracy,
                contribution=life.contribution,
                gradient_ratio=life.gradient_ratio,
                seed_parameters=sum(parameter.numel() for parameter in slot.seed_parameters()),
                blueprint=slot.blueprint,
            )
        return found

    def advance(self, epoch: int, accuracy: float) -> None:
        """One epoch passed in every slot: each goes on where its clock and its gate say so."""
        for name, life in self.lives.items():
            life.epochs_in_stage += 1
            self._clock(name, life, epoch, accuracy)

    def apply(self, action: GrowthAction, epoch: int, accuracy: float) -> tuple[str, ...]:
        """Do what was decided; the reasons where it cannot be done. Raises WorkloadError for an unknown slot."""
        if action.slot is None:
            return ()
        self._network.slot(action.slot)
        life = self.lives[action.slot]
        if not is_legal(action, {action.slot: life.stage}):
            return (f"the slot is {life.stage}, where nothing can {action.operation}",)
        if action.operation == "prune":
            self.prune(action.slot, epoch, accuracy, reason="decided")
            return ()
        if action.operation == "fossilize":
            outcome = gate_holding(self._options.gates, contribution=life.contribution, is_healthy=life.is_healthy)
            self._tell_gate(action.slot, outcome, epoch)
            if outcome.is_open:
                self.enter(action.slot, SlotStage.FOSSILIZED, epoch, accuracy, reason="decided")
            return outcome.reasons
        assert action.blueprint is not None
        assert action.schedule is not None
        self.germinate(action.slot, action.blueprint, action.schedule, epoch, accuracy)
        return ()

    def germinate(self, name: str, blueprint: str, schedule: AlphaSchedule, epoch: int, accuracy: float) -> None:
        """Plant a new seed, and train it from the next epoch on if it keeps the shape of its features.

        Raises WorkloadError for an unknown blueprint.
        """
        slot = self._network.slot(name)
        self.plant(name, blueprint, schedule)
        self.enter(name, SlotStage.GERMINATED, epoch, accuracy, reason="decided")
        outcome = gate_germinated(keeps_shape=_keeps_shape(slot.seed, slot.host, slot.channels, slot.alpha.device))
        self._tell_gate(name, outcome, epoch)
        if outcome.is_open:
            self.enter(name, SlotStage.TRAINING, epoch, accuracy, reason="gate G1")
        else:
            self.prune(name, epoch, accuracy, reason="gate G1")

    def prune(self, name: str, epoch: int, accuracy: float, *, reason: str) -> None:
        """Take the seed of a slot out, whatever stage it is in."""
        self.enter(name, SlotStage.PRUNED, epoch, accuracy, reason=reason)
        self.clear(name)
        self.lives[name].alpha = 0.0
        self.lives[name].gradient_ratio = math.nan

    def enter(self, name: str, stage: SlotStage, epoch: int, accuracy: float, *, reason: str) -> None:
        """Let a slot begin a stage that may follow its own, whatever its gates would say."""
        slot, life = self._network.slot(name), self.lives[name]
        before, epochs = life.stage, life.epochs_in_stage
        life.enter(stage, accuracy)
        slot.stage = stage
        self._events.emit(
            SlotStageChanged(
                epoch=epoch,
                slot=name,
                stage_from=str(before),
                stage_to=str(stage),
                blueprint=slot.blueprint,
                schedule=slot.schedule,
                epochs_in_stage=epochs,
                alpha=life.alpha,
                reason=reason,
                num_parameters=self._network.num_parameters(),
            )
        )

    def plant(self, name: str, blueprint: str, schedule: AlphaSchedule) -> None:
        """Put a seed into a slot and its parameters into the optimizer."""
        slot = self._network.slot(name)
        slot.plant(blueprint, build_seed(blueprint, host=slot.host, channels=slot.channels), schedule)
        add_seed(self._optimizer, name, slot.seed_parameters(), lr=self._options.seed_lr)

    def clear(self, name: str) -> None:
        """Take what is in a slot out of it, and out of the optimizer."""
        remove_seed(self._optimizer, name)
        self._network.slot(name).clear()

    def set_alpha(self, name: str, alpha: float) -> None:
        """Blend a slot by so much."""
        self.lives[name].alpha = alpha
        self._network.slot(name).set_alpha(alpha)

    def prune_all(self, epoch: int, accuracy: float, *, reason: str) -> tuple[str, ...]:
        """Prune every live seed; the slots they were in."""
        alive = tuple(name for name, life in self.lives.items() if life.stage in ALIVE)
        for name in alive:
            self.prune(name, epoch, accuracy, reason=reason)
        return alive

    def _clock(self, name: str, life: SlotLife, epoch: int, accuracy: float) -> None:
        clock, total = self._options.clock, self._options.epochs
        if life.stage is SlotStage.TRAINING:
            self._clock_of_training(name, life, epoch, accuracy)
        elif life.stage is SlotStage.BLENDING:
            self._clock_of_blending(name, life, epoch, accuracy)
        elif life.stage is SlotStage.HOLDING:
            if life.contribution <= 0.0:
                self.prune(name, epoch, accuracy, reason=f"contribution {life.contribution:.4g}")
            # One epoch more than the probation, so that a controller may decide after its last one.
            elif life.epochs_in_stage > clock.probation_epochs(total):
                self.prune(name, epoch, accuracy, reason="probation ran out")
        elif life.stage is SlotStage.PRUNED:
            self.enter(name, SlotStage.EMBARGOED, epoch, accuracy, reason="clock")
        elif life.stage is SlotStage.EMBARGOED and life.epochs_in_stage >= clock.embargo_epochs:
            self.enter(name, SlotStage.RESETTING, epoch, accuracy, reason="clock")
        elif life.stage is SlotStage.RESETTING:
            self.enter(name, SlotStage.DORMANT, epoch, accuracy, reason="clock")

    def _clock_of_training(self, name: str, life: SlotLife, epoch: int, accuracy: float) -> None:
        clock = self._options.clock
        if life.epochs_in_stage < clock.training_epochs(self._options.epochs):
            return
        outcome = gate_training(
            self._options.gates,
            improvement=accuracy - life.stage_accuracy,
            epochs=life.epochs_in_stage,
            gradient_ratio=life.gradient_ratio,
        )
        self._tell_gate(name, outcome, epoch)
        if outcome.is_open:
            self.enter(name, SlotStage.BLENDING, epoch, accuracy, reason="gate G2")
            self.set_alpha(name, alpha_at(self._schedule(name), 1, of=clock.blending_epochs))
        elif clock.training_limit is not None and life.epochs_in_stage >= clock.training_limit:
            self.prune(name, epoch, accuracy, reason="training ran out")

    def _clock_of_blending(self, name: str, life: SlotLife, epoch: int, accuracy: float) -> None:
        """The gate is asked about the alpha that the epoch was trained with; then alpha goes on."""
        outcome = gate_blending(self._options.gates, epochs=life.epochs_in_stage, alpha=life.alpha)
        if life.epochs_in_stage >= self._options.clock.blending_epochs:
            self._tell_gate(name, outcome, epoch)
            if outcome.is_open:
                self.set_alpha(name, 1.0)
                self.enter(name, SlotStage.HOLDING, epoch, accuracy, reason="gate G3")
                return
        steps = life.epochs_in_stage + 1
        self.set_alpha(name, alpha_at(self._schedule(name), steps, of=self._options.clock.blending_epochs))

    def _schedule(self, name: str) -> AlphaSchedule:
        return self._network.slot(name).schedule

    def _tell_gate(self, name: str, outcome: GateOutcome, epoch: int) -> None:
        self._events.emit(
            SlotGateEvaluated(
                epoch=epoch, slot=name, gate=outcome.gate, is_open=outcome.is_open, reasons=outcome.reasons
            )
        )


@torch.no_grad()
def _keeps_shape(seed: torch.nn.Module | None, host: str, channels: int, device: torch.device) -> bool:
    assert seed is not None
    shape = (2, channels, 3, 5) if host == "cnn" else (2, 3, channels)
    features = torch.zeros(shape, device=device)
    return seed(features).shape == features.shape
