"""A convolution of each channel alone, then one across them."""

from typing import ClassVar

from torch import nn

from hotloop.workloads.growth.blueprints.conv_light import ConvSeed


class DepthwiseBlueprint:
    """Depthwise separable. Source: Howard et al. 2017, arXiv:1704.04861."""

    name: ClassVar[str] = "depthwise"
    hosts: ClassVar = frozenset({"cnn"})

    @staticmethod
    def build(channels: int) -> nn.Module:
        return ConvSeed(channels, hidden=channels, groups=channels)
