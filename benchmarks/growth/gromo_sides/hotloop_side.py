"""hotloop's side: the same MLP with a slot behind each hidden layer, and seeds of the blueprint `mlp`.

The life of a seed is that of the workload: trained beside the host, blended in, on probation, kept or taken out by its
gates. Germinations come at set epochs, so that both sides grow while the same share of the run is left. The other way
to grow is `widen`: more units in the hidden layers themselves, at the epochs at which gromo adds its own.
"""

import math
import time
from dataclasses import replace
from typing import Any

import torch
from digits_mlp import BATCH, CLASSES, INPUTS, LR, WEIGHT_DECAY, WIDTHS, answer, parts
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from hotloop.train.loop import train as train_job
from hotloop.train.strategies.classification import Classification
from hotloop.workload import Job
from hotloop.workloads.growth.actions import GrowthAction
from hotloop.workloads.growth.build_training import build_training
from hotloop.workloads.growth.gates import GateLimits
from hotloop.workloads.growth.growth_options import ClockOptions, GrowthOptions
from hotloop.workloads.growth.growth_training import GrowthTraining
from hotloop.workloads.growth.host import HostKind
from hotloop.workloads.growth.shared_epochs import SharedEpochs
from hotloop.workloads.growth.stages import ALIVE, SlotStage
from hotloop.workloads.growth.task import GrowthTask
from hotloop.workloads.growth.validation import validate
from hotloop.workloads.growth.widening import widen

THROWN_BY = ("germinate", "prune")  # what made esper-lite build its optimizer anew


class MlpHost(nn.Module):
    """Vectors (B, 1, 64) -> logits: layers as GrowingMLP's. Of the kind whose seeds work on the last dimension."""

    kind: HostKind = "transformer"
    detaches_seeds = False

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.widths, self.stem, self.blocks = widths, nn.Identity(), nn.ModuleList()
        before = INPUTS
        for width in widths:
            self.blocks.append(nn.Sequential(nn.Linear(before, width), nn.ReLU()))
            before = width
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(before, CLASSES))

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x)
        return self.head(x)


def task() -> GrowthTask:
    """The digits as vectors."""
    train, validation, test = ((part.inputs[:, None], part.labels) for part in parts())
    return GrowthTask(
        name="digits_mlp",
        build_host=lambda: MlpHost(WIDTHS),
        strategy=Classification(),
        train=train,
        validation=validation,
        test=test,
        batch_size=BATCH,
        chance_loss=math.log(CLASSES),
    )


TASK = task()


def options(epochs: int, *, contribution: float = 0.0) -> GrowthOptions:
    """A seed is trained for 3 epochs, blended in over 5, kept where it does not harm."""
    return GrowthOptions(
        epochs=epochs,
        slots=tuple(range(len(WIDTHS))),
        optimizer="adamw",
        lr=LR,
        seed_lr=LR,
        weight_decay=WEIGHT_DECAY,
        governor=None,
        gates=GateLimits(improvement=-100.0, training_epochs=3, gradient_ratio=0.0, contribution=contribution),
        clock=ClockOptions(training_share=0.0, blending_epochs=5, holding_epochs=3, embargo_epochs=1),
    )


class Counted:
    """Floating-point operations of the epochs of a training, validation and counterfactual passes included."""

    def __init__(self, training: GrowthTraining) -> None:
        self._training, self._known, self.flops = training, dict[Any, int](), 0

    def epoch(self) -> float:
        """Train one; its training loss."""
        training = self._training
        key = training.network.graph_key(), tuple(life.stage for life in training.keeper.lives.values())
        if key in self._known:
            loss = training.epoch().train_loss
        else:
            with FlopCounterMode(display=False) as counter:
                loss = training.epoch().train_loss
            self._known[key] = counter.get_total_flops()
        self.flops += self._known[key]
        return loss


def decided(training: GrowthTraining, germinations: dict[int, str]) -> GrowthAction | None:
    """Keep what is on probation; germinate where it is time."""
    for name, life in training.keeper.lives.items():
        if life.stage is SlotStage.HOLDING and life.epochs_in_stage:
            return GrowthAction(operation="fossilize", slot=name)
    slot = germinations.get(training.epochs_done)
    if slot is None or training.keeper.lives[slot].stage is not SlotStage.DORMANT:
        return None
    return GrowthAction(operation="germinate", slot=slot, blueprint="mlp", schedule="linear")


def train(
    seed: int, epochs: int, germinations: dict[str, str], widths: list[int] | None = None, throws_state: bool = False
) -> dict[str, Any]:
    """Train to the end; `throws_state` forgets the optimizer's state of everything at each germination and pruning."""
    here = TASK if widths is None else replace(TASK, build_host=lambda: MlpHost(tuple(widths)))
    training = build_training(here, options(epochs), seed=seed)
    counted, losses = Counted(training), []
    planned = {int(epoch): slot for epoch, slot in germinations.items()}
    for _ in range(epochs):
        losses.append(counted.epoch())
        action = decided(training, planned)
        if action is not None and training.apply(action) and throws_state and action.operation in THROWN_BY:
            training.optimizer.state.clear()
    return {
        **tested(training),
        "flops": counted.flops,
        "epochs": epochs,
        "train_losses": losses,
        "slots": {name: str(life.stage) for name, life in training.keeper.lives.items()},
    }


def churn(seed: int, epochs: int, throws_state: bool) -> dict[str, Any]:
    """The same host while seeds come and go behind its last layer all the time, and never take part.

    Each is pruned an epoch after it germinated, and its slot opens again after three: two changes in five epochs.
    """
    training = build_training(TASK, options(epochs), seed=seed)
    losses: list[float] = []
    changes = 0
    for _ in range(epochs):
        losses.append(training.epoch().train_loss)
        stage = training.keeper.lives["b1"].stage
        operation = "germinate" if stage is SlotStage.DORMANT else "prune" if stage in ALIVE else None
        if operation is None:
            continue
        planted = {"blueprint": "mlp", "schedule": "linear"} if operation == "germinate" else {}
        training.apply(GrowthAction(operation=operation, slot="b1", **planted))
        changes += 1
        if throws_state:
            training.optimizer.state.clear()
    return {**tested(training), "train_losses": losses, "changes": changes}


def widened(
    seed: int,
    epochs: int,
    *,
    every: int,
    first: int,
    neurons: int,
    parameters: int,
    flops: int = 0,
    throws_state: bool = False,
) -> dict[str, Any]:
    """The same host, whose hidden layers get more units in turns until there are as many parameters as wished.

    It is trained for so many epochs, and on where the operations allow more.
    """
    host, optimizer = wide_host(seed)
    batches = SharedEpochs(TASK.train, batch_size=BATCH, seed=seed, device=torch.device("cpu"))
    losses: list[float] = []
    spent, each, steps, epoch = 0, flops_of_epoch(host), 0, 0
    while epoch < epochs or spent + each / 2 < flops:
        if epoch >= first and (epoch - first) % every == 0:
            layers = [*(block[0] for block in host.blocks), host.head[1]]
            before, after = layers[steps % 2], layers[steps % 2 + 1]
            cost = before.in_features + 1 + after.out_features
            units = min(neurons, round((parameters - num_parameters(host)) / cost))
            if units > 0:
                widen(before, after, units, optimizer)
                steps, each = steps + 1, flops_of_epoch(host)
                if throws_state:
                    optimizer.state.clear()
        job = Job(model=host, optimizer=optimizer, batches=batches.epoch(epoch), strategy=TASK.strategy)
        losses.append(train_job(job, epochs=1).loss)
        spent += each
        epoch += 1
    inputs, labels = TASK.test
    with torch.no_grad():
        right = (host(inputs).argmax(1) == labels).double().mean().item()
    return {
        "test_accuracy": 100.0 * right,
        "parameters": num_parameters(host),
        "flops": spent,
        "epochs": epoch,
        "growth_steps": steps,
        "train_losses": losses,
    }


def wide_host(seed: int) -> tuple[MlpHost, torch.optim.Optimizer]:
    """The host at its beginning, without slots."""
    torch.manual_seed(seed)
    host = MlpHost(WIDTHS)
    return host, torch.optim.AdamW(host.parameters(), lr=LR, weight_decay=WEIGHT_DECAY, foreach=True)


def num_parameters(model: nn.Module) -> int:
    """How many numbers are trained."""
    return sum(parameter.numel() for parameter in model.parameters())


def flops_of_epoch(model: nn.Module) -> int:
    """Floating-point operations of forward and backward over one epoch."""
    inputs, labels = TASK.train
    with FlopCounterMode(display=False) as counter:
        nn.functional.cross_entropy(model(inputs[:BATCH]), labels[:BATCH]).backward()
    model.zero_grad()
    return round(counter.get_total_flops() * len(labels) / BATCH)


def tested(training: GrowthTraining) -> dict[str, Any]:
    """Accuracy on the test part, and size."""
    test = SharedEpochs(TASK.test, batch_size=len(TASK.test[1]), seed=0, device=torch.device("cpu"))
    found = validate(training.network, lambda _: TASK.strategy, test.epoch(0))
    return {"test_accuracy": found.accuracy, "parameters": training.network.num_parameters()}


def growth_step(seed: int, neurons: int) -> dict[str, float]:
    """CPU seconds of one germination after an epoch of training, and of so many more units in a hidden layer."""
    training = build_training(TASK, options(4), seed=seed)
    training.epoch()
    began = time.thread_time()
    done = training.apply(GrowthAction(operation="germinate", slot="b0", blueprint="mlp", schedule="linear"))
    spent = time.thread_time() - began
    assert done
    host, optimizer = wide_host(seed)
    job = Job(model=host, optimizer=optimizer, batches=training_batches(seed), strategy=TASK.strategy)
    train_job(job, epochs=1)
    began = time.thread_time()
    widen(host.blocks[1][0], host.head[1], neurons, optimizer)
    return {"cpu": spent, "widen": time.thread_time() - began}


def training_batches(seed: int) -> list[Any]:
    """Those of the first epoch."""
    return SharedEpochs(TASK.train, batch_size=BATCH, seed=seed, device=torch.device("cpu")).epoch(0)


if __name__ == "__main__":
    answer({"train": train, "churn": churn, "widened": widened, "growth_step": growth_step})
