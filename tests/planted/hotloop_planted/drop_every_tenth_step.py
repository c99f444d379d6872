"""An optimizer that rests at every tenth step."""

from typing import Any, ClassVar

from pydantic.dataclasses import dataclass

from hotloop.transform import OptimizerSite, Stage
from hotloop_planted.shape import STRICT, Planted


@dataclass(frozen=True, kw_only=True, config=STRICT)
class DropEveryTenthStep(Planted):
    """Leaves out every tenth update."""

    name: ClassVar[str] = "drop_every_tenth_step"
    stage: ClassVar[Stage] = Stage.OPTIMIZER

    def apply(self, site: OptimizerSite) -> None:
        """Replace the step of one class of optimizers."""
        original, calls = site.kind.step, []

        def step(*args: Any, **kwargs: Any) -> Any:
            calls.append(None)
            return None if len(calls) % 10 == 0 else original(*args, **kwargs)

        site.kind.step = step
