"""Everything that the next epoch of a run depends on, as tensors and JSON, so that a run that was cut off goes on.

On the CPU a run that goes on ends with the weights, to the last bit, of one that never stopped.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from hotloop.errors import WorkloadError
from hotloop.train.best import BestWeights
from hotloop.train.lean.optimizer import FlatOptimizer
from hotloop.train.lean.step import LeanStep


@dataclass(frozen=True, kw_only=True)
class Course:
    """The live parts of a run between two epochs; `entries` are the JSON forms of its epochs so far."""

    model: nn.Module
    optimizer: FlatOptimizer
    step: LeanStep
    best: BestWeights
    entries: list[dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class CourseState:
    """What `state_of` read: `tensors` on the CPU, `data` in JSON types."""

    tensors: dict[str, Tensor]
    data: dict[str, Any]


class Recorder(Protocol):
    """Who keeps a run: asked once for where to begin, told after each epoch."""

    def begin(self) -> CourseState | None:
        """The state to go on from; None for a run that starts anew."""
        ...

    def keep(self, course: Course) -> None:
        """Called after each epoch, when everything that belongs to it is done."""
        ...


def state_of(course: Course) -> CourseState:
    """A copy of the state of a run after an epoch.

    The scale of a float16 run is not part of it: it starts anew, as in any new run.
    """
    best_data, best_tensors = course.best.state()
    optimizer = course.optimizer
    moments = {f"moment.{index}": moment for index, moment in enumerate(optimizer.moments)}
    tensors = {
        **{f"model.{name}": value for name, value in course.model.state_dict().items()},
        **{f"best.{name}": value for name, value in best_tensors.items()},
        **moments,
        "steps": optimizer.steps,
        "random.cpu": torch.get_rng_state(),
    }
    device = optimizer.steps.device
    if device.type == "cuda":
        tensors["random.cuda"] = torch.cuda.get_rng_state(device)
    return CourseState(
        tensors={name: value.detach().to("cpu", copy=True).contiguous() for name, value in tensors.items()},
        data={"epochs": list(course.entries), "best": best_data, "updates": course.step.steps},
    )


def restore(course: Course, state: CourseState) -> None:
    """Put a state back into a run that was built as the one it came from. Raises WorkloadError where it was not."""
    tensors, optimizer = state.tensors, course.optimizer
    try:
        course.model.load_state_dict(_under(tensors, "model."))
        for index, moment in enumerate(optimizer.moments):
            moment.copy_(tensors[f"moment.{index}"])
        optimizer.steps.copy_(tensors["steps"])
    except (KeyError, RuntimeError) as error:
        raise WorkloadError(
            f"the checkpoint does not fit this run ({error}); a run goes on with the estimator, data and optimizer it "
            "began with: give the same config, or start anew"
        ) from error
    course.best.restore_state(state.data["best"], _under(tensors, "best."))
    course.step.steps = state.data["updates"]
    _follow(course.model, len(state.data["epochs"]))
    torch.set_rng_state(tensors["random.cpu"])
    if optimizer.steps.device.type == "cuda":
        torch.cuda.set_rng_state(tensors["random.cuda"], optimizer.steps.device)


def _follow(model: nn.Module, epochs: int) -> None:
    """Let a model that changes with the epochs hear of those that are behind it."""
    follow = getattr(model, "on_epoch", None)
    if callable(follow):
        for epoch in range(epochs):
            follow(epoch)


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
