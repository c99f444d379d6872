"""The state of a growing network in training: tensors, and JSON from which the slots are built again."""

import math
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.optim import Optimizer

from hotloop.errors import WorkloadError
from hotloop.workloads.growth.governor import Governor
from hotloop.workloads.growth.growing_network import GrowingNetwork
from hotloop.workloads.growth.growth_optimizer import optimizer_tensors, restore_optimizer
from hotloop.workloads.growth.progress import HostProgress
from hotloop.workloads.growth.slot_keeper import SlotKeeper
from hotloop.workloads.growth.slot_life import SlotLife


@dataclass(frozen=True, kw_only=True)
class GrowthState:
    """`data` in JSON types, `tensors` as copies on the CPU."""

    data: dict[str, Any]
    tensors: dict[str, Tensor]


class GrowingParts(Protocol):
    """What of a run is kept."""

    network: GrowingNetwork
    optimizer: Optimizer
    keeper: SlotKeeper
    progress: HostProgress
    governor: Governor | None
    random: Tensor
    epochs_done: int
    train_loss: float
    validation_loss: float


def growth_state(run: GrowingParts) -> GrowthState:
    """A copy of everything, at any stage of any slot."""
    slots = {
        name: {
            "life": life.state(),
            "blueprint": run.network.slot(name).blueprint,
            "schedule": run.network.slot(name).schedule,
        }
        for name, life in run.keeper.lives.items()
    }
    tensors = {f"network:{name}": value for name, value in run.network.state_dict().items()}
    tensors |= {f"optimizer:{name}": v for name, v in optimizer_tensors(run.optimizer, run.network).items()}
    tensors["random"] = run.random
    data: dict[str, Any] = {
        "slots": slots,
        "parts": [group["part"] for group in run.optimizer.param_groups],
        "progress": run.progress.state(),
        "governor": None if run.governor is None else run.governor.state(),
        "epochs": run.epochs_done,
        "losses": [None if math.isnan(loss) else loss for loss in (run.train_loss, run.validation_loss)],
    }
    kept = {name: value.detach().to("cpu", copy=True).contiguous() for name, value in tensors.items()}
    return GrowthState(data=data, tensors=kept)


def restore_growth_state(run: GrowingParts, state: GrowthState) -> None:
    """Build the slots again as they were, then put every tensor back. Raises WorkloadError for another host."""
    data = state.data
    if set(data["slots"]) != set(run.network.slot_names):
        raise WorkloadError(
            f"the checkpoint has the slots {', '.join(data['slots'])}, this run {', '.join(run.network.slot_names)}; "
            "a run goes on with the options it began with"
        )
    for name in run.network.slot_names:
        run.keeper.clear(name)
    # In the order in which the optimizer had them, which decides the order of its groups.
    planted = [part for part in data["parts"] if part != "host"]
    planted += [name for name, kept in data["slots"].items() if kept["blueprint"] and name not in planted]
    for name in planted:
        kept = data["slots"][name]
        run.keeper.plant(name, kept["blueprint"], kept["schedule"])
    for name, kept in data["slots"].items():
        life = SlotLife.from_state(kept["life"])
        run.keeper.lives[name] = life
        run.network.slot(name).stage = life.stage
    try:
        run.network.load_state_dict(_under(state.tensors, "network:"))
        restore_optimizer(run.optimizer, run.network, _under(state.tensors, "optimizer:"))
    except (KeyError, RuntimeError) as error:
        raise WorkloadError(
            f"the checkpoint does not fit this network ({error}); a run goes on with the task and options it began "
            "with: give the same config, or start anew"
        ) from error
    run.progress = HostProgress.from_state(data["progress"])
    if run.governor is not None and data["governor"] is not None:
        run.governor.restore_state(data["governor"])
    run.random = state.tensors["random"].to(torch.uint8)
    run.epochs_done = data["epochs"]
    run.train_loss, run.validation_loss = (math.nan if loss is None else loss for loss in data["losses"])


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
