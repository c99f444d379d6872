"""One network that grows while it trains: an epoch at a time, then the clock of its slots, then a decision."""

import math
from dataclasses import dataclass

import torch

from hotloop.compile.by_architecture import ArchitectureCompiler
from hotloop.train.events.event import CompileFellBack, EpochEnded, GradientsSeen
from hotloop.train.events.stream import EventStream
from hotloop.train.gradient_health import GradientHealth, GradientReport
from hotloop.train.loop import train
from hotloop.train.metrics import MetricsReport
from hotloop.workload import Job, Strategy
from hotloop.workloads.growth.actions import GrowthAction
from hotloop.workloads.growth.governor import Governor
from hotloop.workloads.growth.growing_network import GrowingNetwork
from hotloop.workloads.growth.growth_events import ControllerDecided, GovernorRolledBack, SlotContribution
from hotloop.workloads.growth.growth_optimizer import build_optimizer
from hotloop.workloads.growth.growth_options import GrowthOptions
from hotloop.workloads.growth.growth_view import GrowthView
from hotloop.workloads.growth.progress import HostProgress
from hotloop.workloads.growth.shared_epochs import SharedEpochs
from hotloop.workloads.growth.slot_keeper import SlotKeeper
from hotloop.workloads.growth.stages import SlotStage
from hotloop.workloads.growth.task import GrowthTask
from hotloop.workloads.growth.training_state import GrowthState, growth_state, restore_growth_state
from hotloop.workloads.growth.validation import Validation, validate


@dataclass(frozen=True, kw_only=True)
class GrowthEpoch:
    """What an epoch came to; accuracies in percent."""

    number: int
    train_loss: float
    train_accuracy: float
    validation: Validation
    num_parameters: int
    stages: dict[str, str]


class GrowthTraining:
    """A run of one network. `epoch` trains and lets the slots go on; `apply` does what a controller decided.

    The same seed, options and decisions give the same run on the CPU, as long as nothing else draws from torch's
    generator while `epoch` and `apply` run: both use a generator state of their own. Two reads from the device an
    epoch: one after training, gradients included, and one after validation, contributions included.
    """

    def __init__(  # the parts of one run; what is shared between runs comes from outside
        self,
        task: GrowthTask,
        options: GrowthOptions,
        *,
        seed: int,
        epochs: SharedEpochs,
        validation: SharedEpochs,
        compiler: ArchitectureCompiler | None = None,
        events: EventStream | None = None,
    ) -> None:
        self.task, self.options, self.seed = task, options, seed
        self.events = EventStream() if events is None else events
        self._batches, self._validation, self._compiler = epochs, validation, compiler
        device = validation.device
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.network = GrowingNetwork(task.build_host(), options.slots).to(device)
            self.random = torch.get_rng_state()
        self.optimizer = build_optimizer(self.network, options)
        self.keeper = SlotKeeper(self.network, self.optimizer, options, self.events)
        self.progress = HostProgress()
        self.governor = None if options.governor is None else Governor(options.governor, chance_loss=task.chance_loss)
        self.epochs_done = 0
        self.train_loss = math.nan
        self.validation_loss = math.nan
        self._good: GrowthState | None = None

    def epoch(self) -> GrowthEpoch:
        """Train and validate once over the data, judge it, and let the slots go on."""
        with torch.random.fork_rng(devices=[]):
            torch.set_rng_state(self.random)
            report = self._train()
            self.random = torch.get_rng_state()
        judged = [n for n, life in self.keeper.lives.items() if life.stage in (SlotStage.BLENDING, SlotStage.HOLDING)]
        found = validate(self.network, self._strategy_of, self._validation.epoch(0), judged=judged)
        self.epochs_done += 1
        self._tell(report, found)
        done = GrowthEpoch(
            number=self.epochs_done,
            train_loss=report.loss if not report.num_nonfinite else math.nan,
            train_accuracy=100.0 * report.metrics["accuracy"],
            validation=found,
            num_parameters=self.network.num_parameters(),
            stages={name: str(life.stage) for name, life in self.keeper.lives.items()},
        )
        if not self._is_undone(done):
            self.train_loss, self.validation_loss = done.train_loss, found.loss
            self.progress.add(found.loss, found.accuracy, self.options.plateau)
            self._measure(report.gradients, found)
            self.keeper.advance(self.epochs_done, found.accuracy)
            if self.governor is not None and self.governor.is_content:
                self._good = self.state()
        return done

    def apply(self, action: GrowthAction) -> bool:
        """Whether the decision came to pass; a gate or a stage that refuses is no error, and is told."""
        with torch.random.fork_rng(devices=[]):
            torch.set_rng_state(self.random)
            reasons = self.keeper.apply(action, self.epochs_done, self.progress.previous_accuracy)
            self.random = torch.get_rng_state()
        self.events.emit(
            ControllerDecided(
                epoch=self.epochs_done,
                operation=action.operation,
                slot=action.slot,
                blueprint=action.blueprint,
                schedule=action.schedule,
                is_done=not reasons,
                reasons=reasons,
            )
        )
        return not reasons

    def view(self) -> GrowthView:
        """What a controller sees now."""
        progress = self.progress
        return GrowthView(
            epoch=self.epochs_done,
            epochs=self.options.epochs,
            train_loss=self.train_loss,
            validation_loss=self.validation_loss,
            accuracy=progress.previous_accuracy,
            accuracy_change=progress.accuracy_change,
            best_accuracy=progress.best_accuracy,
            plateau_epochs=progress.plateau_epochs,
            is_stabilized=progress.is_stabilized,
            host_parameters=self.keeper.host_parameters,
            slots=self.keeper.views(progress.previous_accuracy),
        )

    def state(self) -> GrowthState:
        """Everything that the next epoch depends on, beside options and data."""
        return growth_state(self)

    def restore_state(self, state: GrowthState) -> None:
        """Go on from what `state` gave, whatever was in the slots before."""
        with torch.random.fork_rng(devices=[]):  # seeds are planted anew before their weights are put back
            restore_growth_state(self, state)

    def tell_fall_back(self, architecture: str, reason: str) -> None:
        """An event for what could not be compiled."""
        self.events.emit(CompileFellBack(epoch=self.epochs_done, architecture=architecture, reason=reason))

    def _train(self) -> MetricsReport:
        self.network.train()
        watched = self.epochs_done % self.options.gradient_every == 0
        health = GradientHealth(self.network, layer_of=_part_of) if watched else None
        job = Job(
            model=self.network,
            optimizer=self.optimizer,
            batches=self._batches.epoch(self.epochs_done),
            strategy=self._strategy_of(self.network),
            clip_norm=self.options.clip_norm,
            gradients=health,
        )
        with torch.enable_grad():  # a rollout of a controller runs without gradients of its own
            return train(job, epochs=1)

    def _strategy_of(self, network: GrowingNetwork) -> Strategy:
        return self.task.strategy if self._compiler is None else self._compiler.of(network)

    def _tell(self, report: MetricsReport, found: Validation) -> None:
        self.events.emit(
            EpochEnded(
                epoch=self.epochs_done,
                loss=report.loss,
                accuracy=100.0 * report.metrics["accuracy"],
                validation_loss=found.loss,
                validation_accuracy=found.accuracy,
                num_parameters=self.network.num_parameters(),
                num_nonfinite=report.num_nonfinite,
            )
        )
        if report.gradients is not None:
            total = report.gradients.total
            self.events.emit(
                GradientsSeen(
                    epoch=self.epochs_done,
                    taken=report.gradients.taken,
                    mean=total.mean,
                    max=total.max,
                    num_nonfinite=total.num_nonfinite,
                    worst_step=total.worst_step,
                    layers={name: layer.mean for name, layer in report.gradients.layers.items()},
                )
            )

    def _measure(self, gradients: GradientReport | None, found: Validation) -> None:
        """What gates and controllers go by."""
        for name, life in self.keeper.lives.items():
            if gradients is not None and f"slot {name}" in gradients.layers:
                life.gradient_ratio = gradients.norm_ratio(f"slot {name}", "host")
                layer = gradients.layers[f"slot {name}"]
                life.is_healthy = not (layer.num_nonfinite or layer.num_exploding)
            if name in found.without:
                life.contribution = found.accuracy - found.without[name]
                self.events.emit(
                    SlotContribution(
                        epoch=self.epochs_done,
                        slot=name,
                        stage=str(life.stage),
                        alpha=life.alpha,
                        contribution=life.contribution,
                    )
                )

    def _is_undone(self, done: GrowthEpoch) -> bool:
        """Put training back to the last good epoch, without the seeds that are alive, where the governor wants it."""
        if self.governor is None:
            return False
        reason = self.governor.complaint(done.train_loss, done.validation.loss)
        if reason is None:
            return False
        number, good = self.epochs_done, self._good
        if good is not None:
            self.restore_state(good)
        to_epoch = self.epochs_done if good is not None else number
        self.epochs_done = number  # what was undone is over as well: a run ends after as many epochs as it was given
        self.governor.forgive()
        pruned = self.keeper.prune_all(number, self.progress.previous_accuracy, reason="rolled back")
        self.events.emit(GovernorRolledBack(epoch=number, reason=reason, to_epoch=to_epoch, pruned=pruned))
        return True


def _part_of(name: str) -> str:
    parts = name.split(".")
    return "host" if parts[0] == "host" else f"slot {parts[1]}"
