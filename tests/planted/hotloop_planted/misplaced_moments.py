"""A restored optimizer whose moments belong to other elements: what a kernel does that looks at no strides."""

from typing import Any

from torch.optim.optimizer import Optimizer, register_optimizer_step_pre_hook

from hotloop.transform import Stage, TransformBase


class MisplacedMoments(TransformBase):
    """Turns the moments of each tensor around once, where an optimizer has some before its first step."""

    name = "misplaced_moments"
    stage = Stage.TORCH
    roundoff = 2.0**-24

    def apply(self, site: None) -> None:
        """Hook the steps of all optimizers."""
        met: list[Optimizer] = []

        def turn(optimizer: Optimizer, *_: Any) -> None:
            if optimizer in met:
                return
            met.append(optimizer)
            for state in optimizer.state.values():
                for key in ("exp_avg", "exp_avg_sq"):
                    state[key].copy_(state[key].flip(0).clone())

        register_optimizer_step_pre_hook(turn)
