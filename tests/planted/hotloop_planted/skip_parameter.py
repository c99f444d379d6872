"""One parameter that no longer learns."""

from typing import Literal

import torch
from torch import nn
from torch.optim.optimizer import register_optimizer_step_post_hook

from hotloop.transform import Stage, TransformBase
from hotloop_planted.acted import acted


class SkipParameter(TransformBase):
    """Takes the last weight's gradient away, makes it zero, or undoes its update after each step."""

    how: Literal["no_gradient", "zero_gradient", "undone"] = "no_gradient"

    name = "skip_parameter"
    stage = Stage.MODULE
    roundoff = 2.0**-24

    def apply(self, site: nn.Module) -> None:
        """Act on the last weight of more than one dimension."""
        weight = [parameter for parameter in site.parameters() if parameter.dim() > 1][-1]
        acted()
        if self.how == "no_gradient":
            weight.requires_grad_(False)
        elif self.how == "zero_gradient":
            weight.register_hook(torch.zeros_like)
        else:
            kept = weight.detach().clone()
            register_optimizer_step_post_hook(lambda *_: weight.data.copy_(kept))
