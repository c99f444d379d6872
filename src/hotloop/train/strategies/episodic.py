"""Episodes of a series, drawn by `Windows`: a network acts on each step, a differentiable reward scores an episode."""

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from hotloop.train.callers import warn
from hotloop.train.episodes.actions import as_rows, back_through, transform_named
from hotloop.train.episodes.context import align
from hotloop.train.episodes.options import Primary
from hotloop.train.episodes.reward import RewardCall
from hotloop.train.episodes.windows import Episodes
from hotloop.train.flat.fused_network import FusedNetwork
from hotloop.train.stopwatch import NoStopwatch, Stopwatch
from hotloop.workload import Loss


class Episodic:
    """Minus the mean reward of a batch of episodes.

    One forward for all rows; the primary transform on the last dimension; the context aligned to the actions (where
    the batch brings none, the inputs themselves); the reward. With `autocast` the network, and only it, runs in that
    dtype; actions are float32 or better. `action_dim` is checked against the first outputs, and where the strategy
    `trains`, so is that the reward carries a gradient.
    """

    name: ClassVar[str] = "episodic"

    def __init__(
        self,
        reward: RewardCall,
        *,
        primary_transform: Primary = "softmax",
        autocast: torch.dtype | None = None,
        action_dim: int | None = None,
        trains: bool = True,
        stopwatch: Stopwatch | None = None,
    ) -> None:
        self._reward = reward
        self._primary: Primary = primary_transform
        self._transform = transform_named(primary_transform)
        self._autocast, self._action_dim = autocast, action_dim
        self._mark = (stopwatch or NoStopwatch()).mark
        self._seeds: dict[torch.Size, Tensor] = {}  # gradients of minus the mean with respect to each reward
        # A list, because a captured step guards plain attributes.
        self._checked = [] if trains else [True]

    def loss(self, model: nn.Module, batch: Episodes) -> Loss:
        """The loss of one batch, its count the number of episodes; nothing is read from the device."""
        rows, context, size = batch
        outputs = self._forward(model, rows)
        self._mark("forward")
        outputs = outputs.view(size, -1, outputs.shape[-1])
        actions = self._transform(outputs)
        if context is None:
            context = rows.detach().view(size, actions.shape[1], -1)
        rewards = self._reward(actions, align(context, actions.shape))
        if not self._checked:
            self._check_first(actions, rewards)
        return Loss(rewards.mean().neg(), size)

    @torch.no_grad()
    def differentiate(self, network: FusedNetwork, batch: Episodes) -> Loss:
        """The detached loss of one batch through a fused network, which gets the gradient of its outputs.

        Only the reward is differentiated by autograd: the mean and the transform are by hand, with the same values.
        """
        rows, context, size = batch
        outputs = network.forward(rows)
        self._mark("forward")
        actions = self._transform(outputs.view(size, -1, outputs.shape[-1])).requires_grad_()
        if context is None:
            context = rows.view(size, actions.shape[1], -1)
        with torch.enable_grad():
            rewards = self._reward.raw(actions, align(context, actions.shape))
        if not self._checked:
            self._check_first(actions, rewards)
        value = rewards.detach().mean().neg_()
        self._mark("reward")
        if rewards.shape not in self._seeds:
            self._seeds[rewards.shape] = torch.full_like(rewards, -1.0 / rewards.numel(), requires_grad=False)
        (grads,) = torch.autograd.grad(rewards, actions, self._seeds[rewards.shape])
        network.backward(back_through(self._primary, grads, actions.detach()).view(outputs.shape))
        return Loss(value, size)

    def _forward(self, model: nn.Module, rows: Tensor) -> Tensor:
        if self._autocast is None:
            return as_rows(model(rows))
        with torch.autocast(rows.device.type, dtype=self._autocast):
            outputs = as_rows(model(rows))
        return outputs.to(rows.dtype)

    def _check_first(self, actions: Tensor, rewards: Any) -> None:
        width = actions.shape[-1]
        if self._action_dim is not None and width != self._action_dim:
            raise ValueError(
                f"the model gives {width} outputs a step and {self._action_dim} actions were asked for; they must be "
                "equal: build the model with that many outputs"
            )
        if self._primary == "softmax" and width == 1:
            warn(
                "softmax over one output is always 1, so its gradient is zero and nothing is trained; give at least "
                "two outputs, or primary_transform='tanh' or 'identity'"
            )
        self._reward.check_trains(rewards)
        self._checked.append(True)
