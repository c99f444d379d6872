"""All learning rates times one factor, whatever the program and its schedulers set."""

from typing import Annotated, Any, Self

from hotloop.errors import NotApplicable
from hotloop.measurement import Environment
from hotloop.option import AtLeast
from hotloop.transform import OptimizerSite, Promise, Stage, TransformBase


class LearningRate(TransformBase):
    """Multiplies the learning rate of every parameter group while its optimizer steps; the program sees its own.

    Every approximation that takes larger steps in disguise must beat it: it is the control of gate 3.
    """

    factor: Annotated[float, AtLeast(0.0)] = 2.0

    name = "learning_rate"
    stage = Stage.OPTIMIZER
    affects_phases = ()
    changes_settings = ("lr",)

    @property
    def promise(self) -> Promise:
        """Another training that should learn the same."""
        return Promise.STATISTICAL

    @property
    def short_name(self) -> str:
        """A few words for tables."""
        return f"lr x {self.factor:g}"

    @classmethod
    def candidates(cls, environment: Environment) -> tuple[Self, ...]:
        """Half as much again, and twice as much."""
        return cls(factor=1.5), cls(factor=2.0)

    def apply(self, site: OptimizerSite) -> None:
        """Change the rate of what is about to be built. Raises NotApplicable where it has none."""
        if "lr" not in site.defaults:
            raise NotApplicable(f"{site.kind.__name__} has no learning rate")
        _scale_steps(self.factor)

    def confirm(self) -> None:
        """A step must have been made with another rate."""
        if not scaled.steps:
            raise NotApplicable("no optimizer with a learning rate has stepped")


class _Scaled:
    """How many steps of this process were made with another rate than the program's."""

    steps = 0
    is_on = False


scaled = _Scaled()


def _scale_steps(factor: float) -> None:
    """From now on each step of every optimizer finds its rates times `factor`, and leaves them as they were."""
    from torch.optim.optimizer import Optimizer, register_optimizer_step_post_hook, register_optimizer_step_pre_hook

    if scaled.is_on:
        return
    scaled.is_on = True
    plain: dict[int, list[Any]] = {}

    def before(optimizer: Optimizer, _args: Any, _kwargs: Any) -> None:
        rates = plain[id(optimizer)] = [group.get("lr") for group in optimizer.param_groups]
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            if rate is not None:
                group["lr"] = rate * factor
        scaled.steps += 1

    def after(optimizer: Optimizer, _args: Any, _kwargs: Any) -> None:
        for group, rate in zip(optimizer.param_groups, plain.pop(id(optimizer)), strict=True):
            if rate is not None:
                group["lr"] = rate

    register_optimizer_step_pre_hook(before)
    register_optimizer_step_post_hook(after)
