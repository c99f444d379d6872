"""Programs that write out their updates and build no torch optimizer: the zeroing of gradients ends a step.

Such a loop computes a loss, differentiates it, changes its parameters under `no_grad` and zeroes their gradients, after
the update or before the next backward pass. So a call of `Module.zero_grad` after a backward pass ends the step that
the pass belongs to; the gradients are still there.
"""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Protocol

from torch import Tensor, nn
from torch.optim.optimizer import Optimizer

from hotloop.transform import Stage
from hotloop.workloads.patched import patched
from hotloop.workloads.started_plan import StartedPlan

_build = Optimizer.__init__  # without the hooks that meet the program's optimizers


class StepCallbacks(Protocol):
    """What is called for a loss and for a step."""

    def loss(self, value: Tensor) -> None:
        """A backward pass is about to start."""
        ...

    def step(self, optimizer: Optimizer) -> None:
        """A step ended."""
        ...


class UpdateByHand(Optimizer):
    """Stands for the optimizer that there is not: it has the parameters that the program updates, and never steps."""

    def __init__(self, module: nn.Module) -> None:
        _build(self, module.parameters(), {})


class UpdatesByHand:
    """Ends a step where gradients are zeroed after a backward pass, in a program that has built no optimizer so far."""

    def __init__(self, started: StartedPlan, callbacks: StepCallbacks) -> None:
        self._started = started
        self._callbacks = callbacks
        self._has_differentiated = False
        self._standing_in: UpdateByHand | None = None

    def loss(self, value: Tensor) -> None:
        """A backward pass is about to start; told on."""
        self._has_differentiated = True
        self._callbacks.loss(value)

    @contextmanager
    def seen(self) -> Generator[None]:
        """torch with a hook in `Module.zero_grad`."""
        original = nn.Module.zero_grad

        def zero_grad(module: nn.Module, *args: Any, **kwargs: Any) -> None:
            if self._has_differentiated and not self._started.visits[Stage.OPTIMIZER]:
                self._has_differentiated = False
                self._end_step(module)
            original(module, *args, **kwargs)

        with patched(nn.Module, "zero_grad", zero_grad):
            yield

    def _end_step(self, module: nn.Module) -> None:
        if all(parameter.grad is None for parameter in module.parameters()):
            return
        self._standing_in = self._standing_in or UpdateByHand(module)
        self._started.steps += 1
        self._callbacks.step(self._standing_in)
