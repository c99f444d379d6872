"""A network that grows while it trains, on the digits: `hotloop tune growth`, a few ms a step. Needs [sklearn].

The life of its slots is written down here and not decided, so that each plan is tried on the same one: a seed is
trained beside the host, blended in, kept for good; a second one grows behind it and is taken out, and then a third of
another blueprint, for ever in turns. Every form that the graph can take comes within the first 24 steps.
"""

import itertools
from collections.abc import Iterator

import torch
from torch.optim import Optimizer

from hotloop.train.events.stream import EventStream
from hotloop.workload import Job
from hotloop.workloads.growth.growing_network import GrowingNetwork
from hotloop.workloads.growth.growth_optimizer import build_optimizer
from hotloop.workloads.growth.growth_options import GrowthOptions
from hotloop.workloads.growth.shared_epochs import Batch, SharedEpochs
from hotloop.workloads.growth.slot_keeper import SlotKeeper
from hotloop.workloads.growth.stages import SlotStage
from hotloop.workloads.growth.task import GrowthTask, load_task
from hotloop.workloads.growth.validation import validate

_OPTIONS = GrowthOptions(slots=(0, 1), lr=0.05, seed_lr=0.05, max_batches=2)
_EVERY_FORM = 24
_KEPT, _TURNS = "conv_heavy", ("conv_light", "squeeze_excitation")


def build(seed: int) -> Job:
    """The CNN of the task of digits with two slots, SGD with momentum; two steps of 64 images in each stage of a slot.

    A seed on probation is judged by a validation with it and without it, as in `hotloop train`. `Job.phase` names the
    stages of all slots. The same for the same seed.
    """
    task = load_task("digits")
    device = torch.device("cpu")
    torch.manual_seed(seed)
    network = GrowingNetwork(task.build_host(), _OPTIONS.slots).to(device)
    optimizer = build_optimizer(network, _OPTIONS)
    life = WrittenLife(task, network, optimizer, seed=seed, device=device)
    return Job(
        model=network,
        optimizer=optimizer,
        batches=life,
        strategy=task.strategy,
        phase=life.phase,
        warmup_steps=_EVERY_FORM,
    )


class WrittenLife:
    """The batches of one epoch after the other; after each, the slots go on as they are written to."""

    def __init__(
        self, task: GrowthTask, network: GrowingNetwork, optimizer: Optimizer, *, seed: int, device: torch.device
    ) -> None:
        self._task, self._network = task, network
        self._keeper = SlotKeeper(network, optimizer, _OPTIONS, EventStream())
        self._epochs = SharedEpochs(
            task.train, batch_size=task.batch_size, seed=seed, device=device, max_batches=_OPTIONS.max_batches
        )
        self._judging = SharedEpochs(
            task.validation, batch_size=task.batch_size, seed=0, device=device, max_batches=_OPTIONS.max_batches
        )
        self._number, self._accuracy = 0, 0.0
        self._changes = self._written()

    def __iter__(self) -> Iterator[Batch]:
        yield from self._epochs.epoch(self._number)
        self._number += 1
        next(self._changes)

    def phase(self) -> str:
        """The stage of each slot, with the blueprint of what is in it."""
        return ", ".join(
            f"{name} is {life.stage}" + (f" ({blueprint})" if (blueprint := self._network.slot(name).blueprint) else "")
            for name, life in self._keeper.lives.items()
        )

    def _written(self) -> Iterator[None]:
        """What happens after each epoch."""
        yield from self._grown("b0", _KEPT)
        self._enter("b0", SlotStage.FOSSILIZED)
        for blueprint in itertools.cycle(_TURNS):
            yield from self._grown("b1", blueprint)
            self._keeper.prune("b1", self._number, self._accuracy, reason="written")
            yield
            for stage in (SlotStage.EMBARGOED, SlotStage.RESETTING, SlotStage.DORMANT):
                self._enter("b1", stage)

    def _grown(self, name: str, blueprint: str) -> Iterator[None]:
        """From the germination to the judgement at the end of the probation."""
        self._keeper.plant(name, blueprint, "linear")
        self._enter(name, SlotStage.GERMINATED)
        self._enter(name, SlotStage.TRAINING)
        yield
        self._enter(name, SlotStage.BLENDING)
        self._keeper.set_alpha(name, 0.5)
        yield
        self._enter(name, SlotStage.HOLDING)
        self._keeper.set_alpha(name, 1.0)
        yield
        found = validate(self._network, lambda _: self._task.strategy, self._judging.epoch(0), judged=(name,))
        self._accuracy = found.accuracy

    def _enter(self, name: str, stage: SlotStage) -> None:
        self._keeper.enter(name, stage, self._number, self._accuracy, reason="written")
