"""One convolution beside the identity."""

from typing import ClassVar

import torch
from torch import Tensor, nn


class ConvSeed(nn.Module):
    """x + last(...relu(norm(conv(x)))), with `last` 0 at first, so that the seed begins as the identity."""

    def __init__(self, channels: int, *, hidden: int, groups: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, hidden, 3, padding=1, groups=groups, bias=False)
        self.norm = nn.GroupNorm(1, hidden)
        self.last = nn.Conv2d(hidden, channels, 1)
        nn.init.zeros_(self.last.weight)
        assert self.last.bias is not None
        nn.init.zeros_(self.last.bias)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.last(torch.relu(self.norm(self.conv(x))))


class ConvLightBlueprint:
    """As many channels inside as outside."""

    name: ClassVar[str] = "conv_light"
    hosts: ClassVar = frozenset({"cnn"})

    @staticmethod
    def build(channels: int) -> nn.Module:
        return ConvSeed(channels, hidden=channels)
