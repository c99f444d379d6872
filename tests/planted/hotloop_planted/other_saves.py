"""What is trained is right, and what is kept of it is not."""

from typing import Any, Literal

import torch
from torch.optim.optimizer import Optimizer
from torch.optim.swa_utils import AveragedModel

from hotloop.transform import Stage, TransformBase


class OtherSaves(TransformBase):
    """Averages are never updated, a key is left out of what is saved, or moments are saved in fp16."""

    how: Literal["stale_average", "missing_key", "half"] = "stale_average"

    name = "other_saves"
    stage = Stage.TORCH
    roundoff = 2.0**-24

    def apply(self, site: None) -> None:
        """Change torch."""
        original = torch.save

        def save(obj: dict[str, Any], *args: Any, **kwargs: Any) -> None:
            kept = {key: value for key, value in obj.items() if key != "opt"}
            original(kept, *args, **kwargs)

        def half(optimizer: Optimizer) -> dict[str, Any]:
            found = state_dict(optimizer)
            moments = {key: {**kept, "exp_avg": kept["exp_avg"].half()} for key, kept in found["state"].items()}
            return {**found, "state": moments}

        state_dict = Optimizer.state_dict
        if self.how == "stale_average":
            AveragedModel.update_parameters = lambda average, model: average.n_averaged.add_(1)
        elif self.how == "missing_key":
            torch.save = save
        else:
            Optimizer.state_dict = half
