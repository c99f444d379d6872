"""Plans and captured steps for people who write their own loop: `hotloop.apply` and `hotloop.compile_step`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.optimizer import Optimizer

from hotloop.errors import NotApplicable
from hotloop.transform import Plan, Stage
from hotloop.workload import Job, Loss, Strategy
from hotloop.workloads.started_plan import StartedPlan, optimizer_sites

_OUT_OF_REACH = {
    Stage.LAUNCH: "it acts before the process starts: start the program by `hotloop run --plan`",
    Stage.PROGRAM: "it acts on source that is about to be loaded: start the program by `hotloop run --plan`",
    Stage.DATA: "it acts on a DataLoader that is about to be made: start the program by `hotloop run --plan`",
    Stage.DDP: "it acts on a DistributedDataParallel that is about to be made: give it the settings themselves",
    Stage.STEP: "it makes whole steps: call hotloop.compile_step",
}


def apply(
    plan: Plan, model: nn.Module, optimizer: Optimizer | None = None, *, allow_partial: bool = False
) -> StartedPlan:
    """Change `model` and `optimizer` as the plan says, in this process; call it once, before the first step.

    Transforms that act before a process starts, on loaders or on whole steps are out of its reach. Where any transform
    changes nothing, it raises NotApplicable with the reason of each, after the others were applied; with
    `allow_partial` the answer's `refused` says so instead. `applied` counts the sites of each transform. Nothing here
    is measured or verified: `hotloop prove` does that for a program.
    """
    started = StartedPlan(plan)
    for transform in plan.transforms:
        if transform.stage in _OUT_OF_REACH:
            started.refused[transform.name] = _OUT_OF_REACH[transform.stage]
    started.visit(Stage.TORCH, None)
    for site in optimizer_sites(optimizer) if optimizer is not None else ():
        started.visit(Stage.OPTIMIZER, site)
    if optimizer is None:
        for transform in plan.at(Stage.OPTIMIZER):
            started.refused[transform.name] = "no optimizer was given"
    started.visit(Stage.MODULE, model)
    nothing = {name: reason for name, reason in started.refused.items() if not started.applied[name]}
    if nothing and not allow_partial:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in nothing.items())
        raise NotApplicable(f"not everything of the plan was applied: {reasons}")
    return started


@dataclass(frozen=True)
class _LossOf:
    """A strategy that is one function of model and batch."""

    function: Callable[[nn.Module, Any], Tensor]

    def loss(self, model: nn.Module, batch: Any) -> Loss:
        """What the function says, as one item."""
        return Loss(self.function(model, batch), 1)


def compile_step(
    model: nn.Module,
    optimizer: Optimizer,
    loss: Callable[[nn.Module, Any], Tensor],
    *,
    clip_norm: float | None = None,
    dtype: torch.dtype | None = None,
) -> Callable[[Any], Tensor]:
    """A function of a batch that makes one step: forward, `loss(model, batch)`, backward, clipping and update.

    All of it is captured as one graph, compiled by inductor, and captured again where shapes, modes or options change,
    at most eight times; learning rates are inputs. It returns the detached loss and reads nothing. With `dtype` forward
    and loss run under autocast. The first step of an optimizer that keeps state is eager. Raises NotApplicable for
    what cannot be captured (an optimizer that is not one of torch's, a gradient scaler).
    """
    from hotloop.compile.capture import CapturedStep

    strategy: Strategy = _LossOf(loss)
    job = Job(model=model, optimizer=optimizer, batches=(), strategy=strategy, clip_norm=clip_norm)
    step = CapturedStep(job, dtype=dtype)
    return lambda batch: step(batch).value
