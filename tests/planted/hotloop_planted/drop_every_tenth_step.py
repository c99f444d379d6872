"""An optimizer that rests at every tenth step."""

from typing import Any

from hotloop.transform import OptimizerSite, Stage, TransformBase


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
            return None if len(calls) % 10 == 0 else original(*args, **kwargs)

        site.kind.step = step
