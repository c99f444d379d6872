"""An optimizer that rests at every tenth step."""

from typing import Any

from hotloop.transform import OptimizerSite, Stage, TransformBase
from hotloop_planted.acted import acted


class DropEveryTenthStep(TransformBase):
    """Leaves out every tenth update."""

    name = "drop_every_tenth_step"
    stage = Stage.OPTIMIZER
    roundoff = 2.0**-24

    def apply(self, site: OptimizerSite) -> None:
        """Replace the step of one class of optimizers."""
        original, calls = site.kind.step, []

        def step(*args: Any, **kwargs: Any) -> Any:
            calls.append(None)
            if len(calls) % 10 == 0:
                acted()
                return None
            return original(*args, **kwargs)

        site.kind.step = step
