"""Checkpoints: everything that the next epoch of a run depends on, as tensors and JSON, so that a run can go on.

On the CPU a run that goes on ends with the weights, to the last bit, of one that never stopped.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from hotloop.errors import WorkloadError
from hotloop.train.epoch_log import EpochLog
from hotloop.train.flat.step import FlatStep


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """What a run is continued from: `tensors` on the CPU, `data` in JSON types."""

    tensors: dict[str, Tensor]
    data: dict[str, Any]


class KeptState(Protocol):
    """A part of a run with a state of its own, such as batches that come from an environment."""

    def state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Everything in JSON types and tensors."""
        ...

    def restore_state(self, data: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        """Go on from what `state` gave."""
        ...


@dataclass(frozen=True, kw_only=True)
class TrainingState:
    """The live parts of a run between two epochs; `batches` where they have a state that no seed gives back."""

    model: nn.Module
    step: FlatStep
    log: EpochLog
    batches: KeptState | None = None

    def checkpoint(self) -> Checkpoint:
        """A copy of everything; not of the scale of a float16 run, which starts anew as in any new run."""
        optimizer = self.step.optimizer
        best_data, best_tensors = self.log.best.state()
        tensors = {
            **{f"model.{name}": value for name, value in self.model.state_dict().items()},
            **{f"best.{name}": value for name, value in best_tensors.items()},
            **{f"moment.{index}": moment for index, moment in enumerate(optimizer.moments)},
            "steps": optimizer.steps,
            "random.cpu": torch.get_rng_state(),
        }
        data: dict[str, Any] = {"epochs": self.log.entries(), "best": best_data, "updates": self.step.steps}
        if self.batches is not None:
            data["batches"], kept = self.batches.state()
            tensors |= {f"batches.{name}": value for name, value in kept.items()}
        device = optimizer.steps.device
        if device.type == "cuda":
            tensors["random.cuda"] = torch.cuda.get_rng_state(device)
        return Checkpoint(
            tensors={name: value.detach().to("cpu", copy=True).contiguous() for name, value in tensors.items()},
            data=data,
        )

    def restore(self, checkpoint: Checkpoint) -> None:
        """Put a checkpoint of a run that was built as this one back. Raises WorkloadError where it was not."""
        tensors, optimizer = checkpoint.tensors, self.step.optimizer
        try:
            self.model.load_state_dict(_under(tensors, "model."))
            for index, moment in enumerate(optimizer.moments):
                moment.copy_(tensors[f"moment.{index}"])
            optimizer.steps.copy_(tensors["steps"])
        except (KeyError, RuntimeError) as error:
            raise WorkloadError(
                f"the checkpoint does not fit this run ({error}); a run goes on with the estimator, data and optimizer "
                "it began with: give the same config, or start anew"
            ) from error
        self.log.restore(checkpoint.data["epochs"])
        self.log.best.restore_state(checkpoint.data["best"], _under(tensors, "best."))
        self.step.steps = checkpoint.data["updates"]
        torch.set_rng_state(tensors["random.cpu"])
        if optimizer.steps.device.type == "cuda":
            torch.cuda.set_rng_state(tensors["random.cuda"], optimizer.steps.device)
        if self.batches is not None:  # last: the batches of a rank have a generator of their own
            self.batches.restore_state(checkpoint.data["batches"], _under(tensors, "batches."))


class CheckpointRecorder(Protocol):
    """Keeps the checkpoints of a run; called at its beginning and after each epoch."""

    def begin(self) -> Checkpoint | None:
        """The checkpoint to go on from; None for a run that starts anew."""
        ...

    def keep(self, state: TrainingState) -> None:
        """Called after each epoch, when everything that belongs to it is done."""
        ...


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
