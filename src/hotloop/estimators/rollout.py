"""A network along a series, step by step: the state moves after each, and where asked the weights."""

import math
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from hotloop.errors import NonFiniteError
from hotloop.estimators.arrays import check_targets
from hotloop.estimators.fitted import Fitted
from hotloop.estimators.losses import build_loss
from hotloop.estimators.parameters import settings_of
from hotloop.models.state import StateController
from hotloop.train.lean.flat import FlatParameters
from hotloop.train.lean.optimizer import FlatOptimizer
from hotloop.train.lean.step import LeanStep
from hotloop.train.strategies.supervised import Supervised

if TYPE_CHECKING:
    from hotloop.estimators.regressor import NetRegressor
    from hotloop.estimators.shapes import Floats


def controllers(net: nn.Module) -> list[StateController]:
    """The states inside a network."""
    return [module for module in net.modules() if isinstance(module, StateController)]


def is_stateful(net: nn.Module) -> bool:
    """Whether a network keeps a state."""
    return bool(controllers(net))


def reset(fitted: Fitted) -> None:
    """Put every state back to 1."""
    for controller in controllers(fitted.net):
        controller.reset()


@torch.no_grad()
def outputs(fitted: Fitted, rows: Tensor, *, update_state: bool) -> Tensor:
    """The network's outputs on rows in order; with `update_state`, each state moves after each row."""
    if not update_state or not is_stateful(fitted.net):
        return fitted.raw(rows)
    fitted.net.eval()
    with _staging(fitted.net):
        return torch.cat([_advance(fitted.net, row) for row in rows.split(1)])


def learning_outputs(
    estimator: "NetRegressor", fitted: Fitted, values: "Floats", y: Any, context: Any, *, update_state: bool
) -> Tensor:
    """Outputs on rows in order, each made before its target moves the weights.

    Raises ValueError where the estimator has no `stream_lr`.
    """
    targets = fitted.targets(check_targets(y, len(values)))
    stream = _stream(estimator, fitted)
    answers: list[Tensor] = []
    for row, target in zip(fitted.rows(values, context).split(1), targets.split(1), strict=True):
        answers.append(outputs(fitted, row, update_state=update_state))
        stream.learn(row, target)
    return torch.cat(answers)


class Stream:
    """Updates of a network's weights one row at a time; moments live as long as the stream."""

    def __init__(self, estimator: "NetRegressor", net: nn.Module) -> None:
        lr = estimator.stream_lr
        if lr is None or not lr > 0:
            raise ValueError(f"got stream_lr={lr}; learning from a stream needs a rate above 0: give stream_lr=1e-3")
        settings = settings_of(estimator)
        self.net, self.lr = net, lr
        optimizer = FlatOptimizer(
            FlatParameters(net), settings["optimizer"], lr=float(lr), weight_decay=settings["weight_decay"]
        )
        loss = build_loss(estimator.loss, estimator.loss_params, estimator.loss_reduction)
        self._step = LeanStep(net, Supervised(criterion=loss), optimizer)

    def learn(self, row: Tensor, target: Tensor) -> None:
        """One update. Raises NonFiniteError where the loss or its gradient is not finite; the weights then stay."""
        if not math.isfinite(self._step((row, target)).value.item()):
            raise NonFiniteError(
                f"a step of the stream gave a loss or gradient that is not finite; lower stream_lr={self.lr}, or "
                "look at the target"
            )


def _stream(estimator: "NetRegressor", fitted: Fitted) -> Stream:
    found = getattr(estimator, "stream_", None)
    if found is None or found.net is not fitted.net or found.lr != estimator.stream_lr:
        found = Stream(estimator, fitted.net)
        estimator.stream_ = found
    return found


def _advance(net: nn.Module, row: Tensor) -> Tensor:
    answer = net(row)
    for controller in controllers(net):
        controller.commit()
    return answer


@contextmanager
def _staging(net: nn.Module) -> Generator[None]:
    """Let states stage while the rest of the network is in eval mode."""
    found = controllers(net)
    for controller in found:
        controller.train()
    try:
        yield
    finally:
        for controller in found:
            controller.eval()
