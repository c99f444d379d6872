"""What a run on a panel keeps beside model and optimizer: averaged weights, and the averages of a turnover loss."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from hotloop.train.losses.panel_loss import PanelLoss
from hotloop.train.ranks import Ranks
from hotloop.train.weight_average import WeightAverage


class PanelState:
    """A KeptState. The averages of a turnover loss are those of each rank, so all ranks ask for the state together."""

    def __init__(self, criterion: PanelLoss, average: WeightAverage | None, *, ranks: Ranks) -> None:
        self._turnover, self._average, self._ranks = criterion.turnover, average, ranks

    def state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """The number of ranks, and tensors."""
        tensors: dict[str, Tensor] = {}
        if self._average is not None:
            tensors |= {f"average.{name}": value for name, value in self._average.state().items()}
        if self._turnover is not None:
            for name, value in self._turnover.state_dict().items():
                gathered = self._ranks.gathered(value)
                tensors |= {f"turnover.{rank}.{name}": part for rank, part in enumerate(gathered)}
        return {"ranks": self._ranks.size}, tensors

    def restore_state(self, data: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        """Go on from what `state` gave. Raises ValueError for another number of ranks."""
        if data["ranks"] != self._ranks.size:
            raise ValueError(
                f"the run had {data['ranks']} ranks and goes on with {self._ranks.size}; its batches would be others: "
                "start as many"
            )
        if self._average is not None:
            self._average.restore_state(_under(tensors, "average."))
        if self._turnover is not None:
            self._turnover.load_state_dict(_under(tensors, f"turnover.{self._ranks.rank}."))


def _under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
