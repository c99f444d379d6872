"""A host with slots behind some of its blocks."""

from collections.abc import Hashable
from typing import Any

from torch import Tensor, nn

from hotloop.errors import WorkloadError
from hotloop.workloads.growth.host import Host, HostKind
from hotloop.workloads.growth.slot import Slot


class GrowingNetwork(nn.Module):
    """The host's function, with the slots of `slots` (indices of its blocks) in between; names of slots are "b<index>".

    Raises WorkloadError for a block that there is not, none, or one named twice.
    """

    def __init__(self, host: Host, slots: tuple[int, ...]) -> None:
        super().__init__()
        if not slots or len(set(slots)) < len(slots) or not set(slots) <= set(range(len(host.widths))):
            raise WorkloadError(
                f"got the slots {list(slots)}; allowed are different blocks of the host, 0 to {len(host.widths) - 1}: "
                "name at least one"
            )
        self.kind: HostKind = host.kind
        self.host: Any = host
        self.slots = nn.ModuleDict(
            {
                f"b{index}": Slot(host.kind, host.widths[index], detaches_seeds=host.detaches_seeds)
                for index in sorted(slots)
            }
        )

    def slot(self, name: str) -> Slot:
        """The slot of that name. Raises WorkloadError where there is none."""
        if name not in self.slots:
            raise WorkloadError(f"got the slot {name!r}; there are {', '.join(self.slots)}: name one of them")
        found = self.slots[name]
        assert isinstance(found, Slot)
        return found

    @property
    def slot_names(self) -> tuple[str, ...]:
        """Names of the slots, in the order in which features pass them."""
        return tuple(self.slots)

    def graph_key(self) -> Hashable:
        """What decides the graph beside tensors: what each slot does now."""
        return tuple(self.slot(name).graph_key() for name in self.slot_names)

    def num_parameters(self) -> int:
        """How many numbers are trained now."""
        return sum(parameter.numel() for parameter in self.parameters())

    def forward(self, x: Tensor) -> Tensor:
        x = self.host.stem(x)
        for index, block in enumerate(self.host.blocks):
            x = block(x)
            if f"b{index}" in self.slots:
                x = self.slots[f"b{index}"](x)
        return self.host.head(x)
