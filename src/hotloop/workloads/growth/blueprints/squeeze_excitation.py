"""Attention over channels: squeeze and excitation."""

from typing import ClassVar

import torch
from torch import Tensor, nn

_REDUCTION = 4


class SqueezeExcitationSeed(nn.Module):
    """x * 2 * sigmoid(f(mean of x)), with f 0 at first. Source: Hu et al. 2018, arXiv:1709.01507, doubled."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = max(1, channels // _REDUCTION)
        self.squeeze, self.excite = nn.Linear(channels, hidden), nn.Linear(hidden, channels)
        nn.init.zeros_(self.excite.weight)
        nn.init.zeros_(self.excite.bias)

    def forward(self, x: Tensor) -> Tensor:
        gates = torch.sigmoid(self.excite(torch.relu(self.squeeze(x.mean((2, 3))))))
        return x * (2.0 * gates)[:, :, None, None]


class SqueezeExcitationBlueprint:
    """Channels weighed by what the whole image holds."""

    name: ClassVar[str] = "squeeze_excitation"
    hosts: ClassVar = frozenset({"cnn"})

    @staticmethod
    def build(channels: int) -> nn.Module:
        return SqueezeExcitationSeed(channels)
