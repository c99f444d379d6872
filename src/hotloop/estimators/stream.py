"""Learning from a stream: the weights of a network move after each row."""

import math

import torch
from torch import Tensor, nn

from hotloop.errors import NonFiniteError
from hotloop.estimators import rollout
from hotloop.estimators.fitted import Fitted
from hotloop.estimators.losses import build_loss
from hotloop.estimators.options import shared_options
from hotloop.estimators.parameters import NetParameters
from hotloop.train.flat.optimizer import FlatOptimizer
from hotloop.train.flat.parameters import FlatParameters
from hotloop.train.flat.step import FlatStep
from hotloop.train.strategies.supervised import Supervised


class Stream:
    """Updates of a network's weights one row at a time; moments of the optimizer live as long as the stream.

    Raises ValueError where the parameters have no `stream_lr`.
    """

    def __init__(self, given: NetParameters, net: nn.Module) -> None:
        lr = given.stream_lr
        if lr is None or not lr > 0:
            raise ValueError(f"got stream_lr={lr}; learning from a stream needs a rate above 0: give stream_lr=1e-3")
        options = shared_options(given)
        self.net, self.lr = net, lr
        optimizer = FlatOptimizer(
            FlatParameters(net), options["optimizer"], lr=float(lr), weight_decay=options["weight_decay"]
        )
        loss = build_loss(given.loss, given.loss_params, given.loss_reduction)
        self._step = FlatStep(net, Supervised(criterion=loss), optimizer)

    def outputs(self, fitted: Fitted, rows: Tensor, targets: Tensor, *, update_state: bool) -> Tensor:
        """Outputs on rows in order, each made before its target moves the weights."""
        answers: list[Tensor] = []
        for row, target in zip(rows.split(1), targets.split(1), strict=True):
            answers.append(rollout.outputs(fitted, row, update_state=update_state))
            self.learn(row, target)
        return torch.cat(answers)

    def learn(self, row: Tensor, target: Tensor) -> None:
        """One update. Raises NonFiniteError where the loss or its gradient is not finite; the weights then stay."""
        if not math.isfinite(self._step((row, target)).value.item()):
            raise NonFiniteError(
                f"a step of the stream gave a loss or gradient that is not finite; lower stream_lr={self.lr}, or "
                "look at the target"
            )
