"""The flat step: flat parameters and gradients, two-operation clip, one fused update, nothing read from the device."""

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor, nn

from hotloop.compile.eager import detached
from hotloop.kernels.training import training_operators
from hotloop.train.cadence import StateCadence
from hotloop.train.flat.accumulated_gradient import AccumulatedGradient
from hotloop.train.flat.clipping import Clipping
from hotloop.train.flat.fused_network import FusedNetwork
from hotloop.train.flat.loss_scale import LossScale
from hotloop.train.flat.optimizer import BETA1, BETA2, EPS, FlatOptimizer
from hotloop.train.microbatches import Microbatches
from hotloop.train.ranks import Ranks
from hotloop.train.stopwatch import NoStopwatch, Stopwatch
from hotloop.workload import GradientObserver, Loss, Strategy

Nonfinite = Literal["stop", "skip"]
FusedUpdate = Callable[[Tensor, Tensor], Tensor]


class FlatStep:
    """A StepFunction over flat parameters.

    The loss of a skipped step comes back as NaN, so that a report counts it. A step is skipped where its loss or its
    gradient is not finite; with "stop", every later step too, so that the weights stay as they were. With a `scale`,
    an overflow skips the step but is not counted. Nothing is read from the device, except by a `state`. `fused` False
    keeps clip and update apart where one operator would serve. The forward runs through `network`: the model, or a
    compiled or fused form of it. A strategy with a method `differentiate` gets fused networks through it. `gradients`
    sees the unscaled gradients before they are clipped. Where `reports_norm` is set, the metric grad_norm is theirs
    before clipping. A batch of `Microbatches` is one step, over the microbatches of all `ranks`.
    """

    def __init__(  # noqa: PLR0913  # all that a step is made of; all but three by keyword
        self,
        model: nn.Module,
        strategy: Strategy,
        optimizer: FlatOptimizer,
        *,
        clipping: Clipping | None = None,
        nonfinite: Nonfinite = "stop",
        scale: LossScale | None = None,
        state: StateCadence | None = None,
        stopwatch: Stopwatch | None = None,
        fused: bool = True,
        gradients: GradientObserver | None = None,
        ranks: Ranks | None = None,
    ) -> None:
        self.network: nn.Module | FusedNetwork = model
        self._strategy, self.optimizer = strategy, optimizer
        clipping, self._latch = clipping or Clipping(), nonfinite == "stop"
        self._clip = clipping.apply
        is_plain = fused and scale is None
        self._fused_update = _fused_update_of(optimizer, clipping, latch=self._latch) if is_plain else None
        self._differentiate_fused: Callable[[FusedNetwork, Any], Loss] | None = getattr(strategy, "differentiate", None)
        self._bad = torch.zeros((), device=optimizer.flat.values.device)
        self._skip = torch.zeros((), device=optimizer.flat.values.device)
        self._scale, self._state = scale, state
        self._accumulate = AccumulatedGradient(strategy, optimizer.flat.grads, ranks=ranks or Ranks(), scale=scale)
        self.reports_norm = False
        self._observe = None if gradients is None else gradients.observe
        self._mark: Callable[[str], None] = (stopwatch or NoStopwatch()).mark
        self.steps = 0

    def __call__(self, batch: Any) -> Loss:
        """One step on `batch`; the loss is detached."""
        if self._state is not None:
            self._state.before_update()
        loss, overflow = self._differentiate(batch)
        if self.reports_norm:
            norm = torch.linalg.vector_norm(self.optimizer.flat.grads)
            loss = loss._replace(metrics={**loss.metrics, "grad_norm": norm})
        if self._observe is not None:
            self._observe()
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
        grads, network, scale = self.optimizer.flat.grads, self.network, self._scale
        if not isinstance(network, nn.Module) and self._differentiate_fused is not None:
            return self._differentiate_fused(network, batch), None
        loss = self._over_microbatches(batch) if isinstance(batch, Microbatches) else self._over_batch(batch)
        if scale is None:
            return loss, None
        overflow = scale.unscale(grads)
        scale.update(overflow)
        return loss, overflow

    def _over_microbatches(self, batches: Microbatches) -> Loss:
        if not isinstance(self.network, nn.Module):
            raise ValueError("microbatches were given to a fused network, which adds no gradients up: give fused=False")
        return self._accumulate(self.network, batches)

    def _over_batch(self, batch: Any) -> Loss:
        network = self.network
        loss = self._strategy.loss(network, batch)  # pyright: ignore[reportArgumentType]
        self._mark("reward")
        scaled = loss.value if self._scale is None else self._scale.scaled(loss.value)
        if isinstance(network, nn.Module):
            self.optimizer.flat.grads.zero_()
            scaled.backward()
        else:
            network.backward(torch.autograd.grad(scaled, network.outputs)[0])
        return detached(loss)

    def _update(self, loss: Tensor, overflow: Tensor | None) -> Tensor:
        grads = self.optimizer.flat.grads
        norm = self._clip(grads, self.steps)
        value = self._guard(loss, grads.sum() if norm is None else norm, overflow)
        self._mark("backward")
        self.optimizer.update(self._skip)
        return value

    def _guard(self, value: Tensor, norm: Tensor, overflow: Tensor | None) -> Tensor:
        """The loss, or NaN where this step is to be skipped; x - x is NaN exactly for NaN and infinities."""
        checked = value + norm if overflow is None else value
        bad = checked - checked
        if self._latch:
            bad = self._bad.add_(bad)
        torch.ne(bad, 0.0, out=self._skip)
        if overflow is not None:
            torch.maximum(self._skip, overflow, out=self._skip)
        return value + bad


def _fused_update_of(optimizer: FlatOptimizer, clipping: Clipping, *, latch: bool) -> FusedUpdate | None:
    """The update as one operator; None where there is none: other devices, dtypes, optimizers, ways to clip.

    It is a function of the loss and `skip`, which becomes 1 where nothing was changed; it returns the loss, or NaN.
    """
    flat, moments = optimizer.flat, optimizer.moments
    if not flat.values.is_cpu or flat.values.dtype is not torch.float32 or optimizer.kind == "sgd":
        return None
    if clipping.value is not None or clipping.every > 1:
        return None
    operators = training_operators()
    if operators is None:
        return None
    operator, group = operators.training_update.default, optimizer.param_groups[0]
    tensors = (flat.values, flat.grads, moments[0], moments[1], optimizer.steps)
    constants = [BETA1, BETA2, EPS, group["weight_decay"]]
    max_norm, is_decoupled = clipping.norm or 0.0, optimizer.kind == "adamw"

    def update(loss: Tensor, skip: Tensor) -> Tensor:
        return operator(*tensors, skip, loss, max_norm, group["lr"], constants, is_decoupled, latch)

    return update
