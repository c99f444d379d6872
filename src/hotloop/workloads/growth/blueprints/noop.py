"""A seed that does nothing and has nothing to train: what any other must be better than."""

from typing import ClassVar

from torch import nn


class NoopBlueprint:
    """The identity."""

    name: ClassVar[str] = "noop"
    hosts: ClassVar = frozenset({"cnn", "transformer"})

    @staticmethod
    def build(channels: int) -> nn.Module:
        return nn.Identity()
