"""gromo's side: GrowingMLP on the digits, grown by its method TINY. Runs in gromo's own environment.

A growth step: the statistics of all training batches, the optimal new neurons of each layer, the layer that promises
most, a line search for their scale on training batches, the change itself, and a new optimizer, since gromo puts new
parameters in the place of those that it extends. The settings are those that gromo's documentation gives for TINY.
"""

import time
from typing import Any

import torch
from digits_mlp import BATCH, CLASSES, INPUTS, LR, WEIGHT_DECAY, WIDTHS, Part, accuracy, answer, parts
from gromo.containers.growing_mlp import GrowingMLP
from gromo.utils.training_utils import compute_statistics
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

SCALES = (0.1, 0.25, 0.5, 1.0)
TINY = {"compute_delta": False, "use_covariance": True, "use_projection": True}
TRAIN, _, TEST = parts()
LOSS = nn.CrossEntropyLoss()


def built(seed: int) -> GrowingMLP:
    """The host at its beginning."""
    torch.manual_seed(seed)
    return GrowingMLP(
        in_features=INPUTS,
        out_features=CLASSES,
        hidden_size=WIDTHS[0],
        number_hidden_layers=len(WIDTHS),
        activation=nn.ReLU(),
        device=torch.device("cpu"),
    )


def optimizer_of(model: nn.Module) -> torch.optim.Optimizer:
    """A new one."""
    return torch.optim.AdamW(model.parameters(), lr=LR, weight_decay=WEIGHT_DECAY, foreach=True)


def train_epoch(model: nn.Module, optimizer: torch.optim.Optimizer, seed: int, epoch: int) -> None:
    """One pass over the batches; the last loss is not read."""
    model.train()
    for inputs, labels in TRAIN.batches(seed, epoch):
        optimizer.zero_grad()
        LOSS(model(inputs), labels).backward()
        optimizer.step()


def grow(model: GrowingMLP, batches: list[Any], neurons: int, parameters: int) -> bool:
    """One growth step of at most so many neurons; False where another neuron would lead away from the wished number.

    The wished number is of parameters.
    """
    room = parameters - num_parameters(model)  # before what is only proposed counts
    model.set_growing_layers(scheduling_method="all")
    compute_statistics(model, batches, loss_function=nn.CrossEntropyLoss(reduction="sum"))  # pyright: ignore
    model.compute_optimal_updates(maximum_added_neurons=neurons, **TINY)
    model.reset_computation()
    model.zero_grad()
    model.select_best_update()
    layer = model.currently_updated_layer
    keep = min(layer.eigenvalues_extension.shape[0], round(room / cost_of(model)))
    if keep < 1:
        layer.delete_update()
        return False
    layer.sub_select_optimal_added_parameters(keep)
    scale_up(model, TRAIN)
    model.apply_change()
    return True


def cost_of(model: GrowingMLP) -> int:
    """Parameters of one more neuron in front of the layer that is to be changed."""
    layer = model.currently_updated_layer
    return layer.previous_module.in_features + 1 + layer.out_features


@torch.no_grad()
def scale_up(model: GrowingMLP, part: Part) -> None:
    """Choose the scale of the new neurons by the training loss."""
    losses: dict[float, float] = {}
    for scale in SCALES:
        model.currently_updated_layer.set_scaling_factor(scale)
        losses[scale] = LOSS(model.extended_forward(part.inputs), part.labels).item()
    model.currently_updated_layer.set_scaling_factor(min(losses, key=losses.__getitem__))


def num_parameters(model: nn.Module) -> int:
    """How many numbers are trained."""
    return sum(parameter.numel() for parameter in model.parameters())


def flops_of_epoch(model: nn.Module) -> int:
    """Floating-point operations of forward and backward over one epoch."""
    with FlopCounterMode(display=False) as counter:
        LOSS(model(TRAIN.inputs[:BATCH]), TRAIN.labels[:BATCH]).backward()
    model.zero_grad()
    return round(counter.get_total_flops() * len(TRAIN.labels) / BATCH)


def train(seed: int, epochs: int, every: int, first: int, neurons: int, parameters: int, flops: int) -> dict[str, Any]:
    """Train to the end, growing until no step brings the number of parameters nearer to the wished one.

    Found after so many epochs, and at the end of the epoch at which the operations come nearest to the wished number.
    """
    model = built(seed)
    optimizer = optimizer_of(model)
    found: dict[str, Any] = {"growth_steps": 0}
    spent, each, epoch, is_growing = 0, flops_of_epoch(model), 0, True
    while epoch < epochs or spent + each / 2 < flops:
        if is_growing and epoch >= first and (epoch - first) % every == 0:
            with FlopCounterMode(display=False) as counter:
                is_growing = grow(model, TRAIN.batches(seed, epoch), neurons, parameters)
            spent += counter.get_total_flops()
            if is_growing:
                optimizer = optimizer_of(model)
                found["growth_steps"] += 1
                each = flops_of_epoch(model)
        if "equal compute" not in found and spent + each / 2 >= flops:
            found["equal compute"] = result(model, spent, epoch)
        train_epoch(model, optimizer, seed, epoch)
        spent += each
        epoch += 1
        if epoch == epochs:
            found["equal parameters"] = result(model, spent, epoch)
    found.setdefault("equal compute", result(model, spent, epoch))
    return found


def result(model: GrowingMLP, flops: int, epochs: int) -> dict[str, Any]:
    """What it came to so far."""
    return {
        "test_accuracy": accuracy(model, TEST),
        "parameters": num_parameters(model),
        "flops": flops,
        "epochs": epochs,
        "widths": [layer.out_features for layer in model.layers],
    }


def growth_step(seed: int, neurons: int) -> dict[str, float]:
    """CPU seconds of one growth step after an epoch of training, the new optimizer included."""
    model = built(seed)
    train_epoch(model, optimizer_of(model), seed, 0)
    batches = TRAIN.batches(seed, 1)
    began = time.thread_time()
    grow(model, batches, neurons, parameters=10**9)
    optimizer_of(model)
    return {"cpu": time.thread_time() - began}


if __name__ == "__main__":
    answer({"train": train, "growth_step": growth_step})
