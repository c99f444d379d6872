"""The lean step: flat parameters and gradients, two-operation clip, one fused update, nothing read from the device."""

from collections.abc import Callable
from typing import Any, Literal, Protocol

import torch
from torch import Tensor, nn

from hotloop.compile.eager import detached
from hotloop.train.lean.clipping import Clipping
from hotloop.train.lean.fused import fused_update
from hotloop.train.lean.loss_scale import LossScale
from hotloop.train.lean.optimizer import FlatOptimizer
from hotloop.train.stopwatch import NoStopwatch, Stopwatch
from hotloop.workload import Loss, Strategy

Nonfinite = Literal["stop", "skip"]


class FusedNetwork(Protocol):
    """A whole network in two calls, with gradients written straight into the flat vector."""

    outputs: Tensor

    def __call__(self, inputs: Tensor) -> Tensor:
        """The outputs: a leaf that requires gradients, kept as `outputs`."""
        ...

    def forward(self, inputs: Tensor) -> Tensor:
        """The outputs, without gradients."""
        ...

    def backward(self, grads: Tensor) -> None:
        """Write the gradient of all parameters, given that of the outputs."""
        ...


class ByHand(Protocol):
    """A strategy that also knows how to differentiate through a fused network, with fewer nodes of autograd."""

    def differentiate(self, network: FusedNetwork, batch: Any) -> Loss:
        """The detached loss of one batch; its gradient went into `network.backward`."""
        ...


class State(Protocol):
    """When the state of a model moves."""

    def before_update(self) -> None:
        """Called before the forward of each update."""
        ...

    def after_update(self, skipped: Tensor) -> None:
        """Called after each optimizer step; `skipped` is 1 where the step changed nothing."""
        ...


class LeanStep:
    """A StepFunction over flat parameters.

    The loss of a skipped step comes back as NaN, so that a report counts it. A step is skipped where its loss or its
    gradient is not finite; with "stop", every later step too, so that the weights stay as they were. With a `scale`,
    an overflow skips the step but is not counted. Nothing is read from the device, except by a `state`. `fused` False
    keeps clip and update apart where one operator would serve.
    """

    def __init__(
        self,
        model: nn.Module,
        strategy: Strategy,
        optimizer: FlatOptimizer,
        *,
        clipping: Clipping | None = None,
        nonfinite: Nonfinite = "stop",
        scale: LossScale | None = None,
        state: State | None = None,
        watch: Stopwatch | None = None,
        fused: bool = True,
    ) -> None:
        self.network: nn.Module | FusedNetwork = model
        self._strategy, self._optimizer = strategy, optimizer
        clipping, self._latch = clipping or Clipping(), nonfinite == "stop"
        self._clip = clipping.apply
        is_plain = fused and scale is None
        self._fused_update = fused_update(optimizer, clipping, latch=self._latch) if is_plain else None
        self._by_hand: Callable[[FusedNetwork, Any], Loss] | None = getattr(strategy, "differentiate", None)
        self._bad = torch.zeros((), device=optimizer.flat.values.device)
        self._skip = torch.zeros((), device=optimizer.flat.values.device)
        self._scale, self._state = scale, state
        self._mark: Callable[[str], None] = (watch or NoStopwatch()).mark
        self.steps = 0

    def use(self, network: nn.Module | FusedNetwork) -> None:
        """Run the forward through `network` from now on: the model itself, or a fused form of it."""
        self.network = network

    def __call__(self, batch: Any) -> Loss:
        """One step on `batch`; the loss is detached."""
        if self._state is not None:
            self._state.before_update()
        loss, overflow = self._differentiate(batch)
        if self._fused_update is None:
            value = self._update(loss.value, overflow)
        else:
            self._mark("backward")
            value = self._fused_update(loss.value, self._skip)
        self._mark("optimizer")
        self.steps += 1
        if self._state is not None:
            self._state.after_update(self._skip)
            self._mark("state")
        return Loss(value, loss.count, loss.metrics)

    def _differentiate(self, batch: Any) -> tuple[Loss, Tensor | None]:
        """The detached loss, with its gradient in the flat vector; and whether a scaled gradient overflowed."""
        grads, network, scale = self._optimizer.flat.grads, self.network, self._scale
        if not isinstance(network, nn.Module) and self._by_hand is not None:
            return self._by_hand(network, batch), None
        loss = self._strategy.loss(network, batch)  # pyright: ignore[reportArgumentType]
        self._mark("reward")
        scaled = loss.value if scale is None else scale.scaled(loss.value)
        if isinstance(network, nn.Module):
            grads.zero_()
            scaled.backward()
        else:
            network.backward(torch.autograd.grad(scaled, network.outputs)[0])
        if scale is None:
            return detached(loss), None
        overflow = scale.unscale(grads)
        scale.update(overflow)
        return detached(loss), overflow

    def _update(self, loss: Tensor, overflow: Tensor | None) -> Tensor:
        grads = self._optimizer.flat.grads
        norm = self._clip(grads, self.steps)
        value = self._guard(loss, grads.sum() if norm is None else norm, overflow)
        self._mark("backward")
        self._optimizer.update(self._skip)
        return value

    def _guard(self, value: Tensor, norm: Tensor, overflow: Tensor | None) -> Tensor:
        """The loss, or NaN where this step is to be skipped; x - x is NaN exactly for NaN and infinities."""
        probe = value + norm if overflow is None else value
        bad = probe - probe
        if self._latch:
            bad = self._bad.add_(bad)
        torch.ne(bad, 0.0, out=self._skip)
        if overflow is not None:
            torch.maximum(self._skip, overflow, out=self._skip)
        return value + bad
