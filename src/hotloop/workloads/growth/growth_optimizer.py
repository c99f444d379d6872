"""One optimizer for host and seeds, whose groups come and go while its state of the rest stays."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from hotloop.workloads.growth.growing_network import GrowingNetwork
from hotloop.workloads.growth.growth_options import GrowthOptions


def build_optimizer(network: GrowingNetwork, options: GrowthOptions) -> Optimizer:
    """SGD or AdamW over the host; each group says whose it is by its key "part"."""
    group: dict[str, Any] = {"params": list(network.host.parameters()), "part": "host"}
    if options.optimizer == "sgd":
        return torch.optim.SGD(
            [group], lr=options.lr, momentum=options.momentum, weight_decay=options.weight_decay, foreach=True
        )
    return torch.optim.AdamW([group], lr=options.lr, weight_decay=options.weight_decay, foreach=True)


def add_seed(optimizer: Optimizer, part: str, parameters: list[nn.Parameter], *, lr: float) -> None:
    """Train these too; nothing happens for a seed that has none."""
    if parameters:
        optimizer.add_param_group({"params": parameters, "part": part, "lr": lr})


def remove_seed(optimizer: Optimizer, part: str) -> None:
    """Forget the group of a part and its state; all other state stays."""
    kept: list[dict[str, Any]] = []
    for group in optimizer.param_groups:
        if group["part"] != part:
            kept.append(group)
            continue
        for parameter in group["params"]:
            optimizer.state.pop(parameter, None)
    optimizer.param_groups[:] = kept


def optimizer_tensors(optimizer: Optimizer, network: nn.Module) -> dict[str, Tensor]:
    """The state of each parameter by its name in the network: `<name>:<key>`."""
    names: dict[Tensor, str] = {parameter: name for name, parameter in network.named_parameters()}
    return {
        f"{names[parameter]}:{key}": value
        for parameter, state in optimizer.state.items()
        for key, value in state.items()
        if isinstance(value, Tensor)
    }


def restore_optimizer(optimizer: Optimizer, network: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Put back what `optimizer_tensors` gave, for groups that are there again."""
    parameters = dict(network.named_parameters())
    optimizer.state.clear()
    for place, value in tensors.items():
        name, _, key = place.rpartition(":")
        parameter = parameters[name]
        # A copy, so that training does not write into the checkpoint; step counters stay on the CPU.
        target = value.clone() if key == "step" else value.to(parameter.device, copy=True)
        optimizer.state[parameter][key] = target
