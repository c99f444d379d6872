"""Networks as data that builds them, and the modules that stand around one while it trains."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from hotloop import registry
from hotloop.models.state import StateConfig
from hotloop.models.wave_residual import WaveSchedule

_NOUNS: dict[str, Any] = {"state": StateConfig, "schedule": WaveSchedule}
_HOOKS = frozenset({"on_epoch", "reset_state", "commit_state_updates", "set_state_updates", "controllers"})


@dataclass(frozen=True, kw_only=True)
class NetPlan:
    """A registered network and its keywords, all of them plain data.

    `context_features` is set for a network that takes a context of its own: its rows are then (features, context).
    """

    name: str
    in_features: int
    out_features: int
    keywords: Mapping[str, Any] = field(default_factory=dict[str, Any])
    context_features: int | None = None

    def build(self) -> nn.Module:
        """A fresh network, drawn from torch's global generator."""
        keywords = {
            key: _NOUNS[key](**value) if key in _NOUNS and value is not None else value
            for key, value in self.keywords.items()
        }
        net = registry.load("models", self.name)(self.in_features, self.out_features, **keywords)
        return net if self.context_features is None else SplitContext(net, self.in_features)


class Around(nn.Module):
    """A network inside another module: what trainers ask of a network is passed on to it."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def __getattr__(self, name: str) -> Any:
        if name in _HOOKS:
            return getattr(self.net, name)
        return super().__getattr__(name)


class SplitContext(Around):
    """A network of (inputs, context) as one of rows that hold both, the context in the last columns."""

    def __init__(self, net: nn.Module, features: int) -> None:
        super().__init__(net)
        self.features = features

    def forward(self, rows: Tensor) -> Tensor:
        """The outputs for rows (N, features + context features)."""
        return self.net(rows[:, : self.features], rows[:, self.features :])


class NoisyInputs(Around):
    """A network whose inputs get Gaussian noise in train mode, `std` broadcast to a row."""

    std: Tensor

    def __init__(self, net: nn.Module, std: Tensor) -> None:
        super().__init__(net)
        self.register_buffer("std", std)

    def forward(self, rows: Tensor) -> Tensor:
        """The outputs; the noise comes from torch's global generator."""
        return self.net(rows + torch.randn_like(rows) * self.std if self.training else rows)


class Continued(Around):
    """A network whose schedule counts on from the epochs that it has finished before."""

    def __init__(self, net: nn.Module, finished: int) -> None:
        super().__init__(net)
        self._finished = finished

    def __getattr__(self, name: str) -> Any:
        return self._on_later_epoch if name == "on_epoch" else super().__getattr__(name)

    def _on_later_epoch(self, epoch: int) -> None:
        follow: Any = self.net.on_epoch
        follow(epoch + self._finished)

    def forward(self, rows: Tensor) -> Tensor:
        return self.net(rows)


def continued(net: nn.Module) -> nn.Module:
    """`net`, so that a schedule of epochs that has begun goes on instead of starting again."""
    inner = net.net if isinstance(net, SplitContext) else net
    finished = getattr(inner, "finished_epochs", None)
    return net if finished is None or int(finished) == 0 else Continued(net, int(finished))


def compiled(net: nn.Module, keywords: Mapping[str, Any] | None) -> nn.Module:
    """`net` compiled with keywords of torch.compile, its parameters still its own; `net` itself where they are None."""
    if keywords is None:
        return net
    module = torch.compile(net, **keywords)
    if not isinstance(module, nn.Module):
        raise TypeError(f"torch.compile returned {type(module).__name__}; a module is needed: use another backend")
    return module
