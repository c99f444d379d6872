"""A network along a series, step by step: its state moves after each."""

from collections.abc import Generator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from hotloop.estimators.fitted import Fitted
from hotloop.models.state import StateController


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
    found: list[Tensor] = []
    with _staging(fitted.net):
        for row in rows.split(1):
            found.append(fitted.net(row))
            for controller in controllers(fitted.net):
                controller.commit()
    return torch.cat(found)


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
