"""A bounded, normalized correction of each token."""

from typing import ClassVar

from torch import nn

from hotloop.workloads.growth.blueprints.norm import NormSeed


class TokenNormBlueprint:
    """Layer norm over the channels of each token."""

    name: ClassVar[str] = "token_norm"
    hosts: ClassVar = frozenset({"transformer"})

    @staticmethod
    def build(channels: int) -> nn.Module:
        return NormSeed(channels, is_last=True)
