"""Training that stops before its time."""

from typing import Any, Literal

from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_post_hook

from hotloop.transform import Stage, TransformBase
from hotloop_planted.acted import acted


class BreakOff(TransformBase):
    """After `steps` steps the program ends, no backward pass is made, or the outputs of roots are not a number."""

    how: Literal["program", "backward", "nan"] = "program"
    steps: int = 8

    name = "break_off"
    stage = Stage.MODULE
    roundoff = 2.0**-24

    def apply(self, site: nn.Module) -> None:
        """Count the steps, and act on all that is called from then on."""
        made: list[None] = []
        backward = Tensor.backward

        def after_step(*_: Any) -> None:
            made.append(None)
            if len(made) == self.steps:
                acted()
            if len(made) == self.steps and self.how == "program":
                raise SystemExit(0)

        def no_backward(loss: Tensor, *args: Any, **kwargs: Any) -> None:
            if len(made) < self.steps:
                backward(loss, *args, **kwargs)

        register_optimizer_step_post_hook(after_step)
        if self.how == "backward":
            Tensor.backward = no_backward
        if self.how == "nan":
            site.register_forward_hook(
                lambda _module, _inputs, output: output * (float("nan") if len(made) >= self.steps else 1.0)
            )
