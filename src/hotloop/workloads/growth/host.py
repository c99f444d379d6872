"""What a host is: a network cut into blocks, behind which seeds may grow."""

from typing import Literal, Protocol

from torch import Tensor, nn

HostKind = Literal["cnn", "transformer"]


class Host(Protocol):
    """A module whose forward is `head(block_n(...block_1(stem(x))))`; `widths` are the channels after each block.

    `detaches_seeds` keeps the gradient of a seed that is trained or blended in from what comes before it.
    """

    kind: HostKind
    detaches_seeds: bool
    widths: tuple[int, ...]
    blocks: nn.ModuleList

    @property
    def stem(self) -> nn.Module:
        """What comes before the first block."""
        ...

    @property
    def head(self) -> nn.Module:
        """What comes after the last one."""
        ...

    def __call__(self, x: Tensor) -> Tensor: ...
