"""What decides once an epoch when a network grows."""

from collections.abc import Mapping
from typing import Any, Protocol

from hotloop.workloads.growth.actions import GrowthAction
from hotloop.workloads.growth.growth_view import GrowthView


class Controller(Protocol):
    """Decides by what it sees; keeps whatever it must remember in `state`."""

    def decide(self, view: GrowthView) -> GrowthAction:
        """What to do after this epoch."""
        ...

    def state(self) -> dict[str, Any]:
        """Everything in JSON types."""
        ...

    def restore_state(self, data: Mapping[str, Any]) -> None:
        """Go on from what `state` gave."""
        ...
