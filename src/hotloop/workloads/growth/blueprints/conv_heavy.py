"""A wide convolution beside the identity."""

from typing import ClassVar

from torch import nn

from hotloop.workloads.growth.blueprints.conv_light import ConvSeed


class ConvHeavyBlueprint:
    """Four times as many channels inside as outside."""

    name: ClassVar[str] = "conv_heavy"
    hosts: ClassVar = frozenset({"cnn"})

    @staticmethod
    def build(channels: int) -> nn.Module:
        return ConvSeed(channels, hidden=4 * channels)
