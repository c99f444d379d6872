"""One setting of an optimizer that is not the program's."""

from typing import Literal

from torch.optim.lr_scheduler import LRScheduler

from hotloop.transform import OptimizerSite, Stage, TransformBase


class OtherSetting(TransformBase):
    """Takes weight decay away, lowers or doubles the learning rate, or keeps schedulers from stepping."""

    how: Literal["weight_decay", "learning_rate", "learning_rate_doubled", "schedule"] = "weight_decay"

    name = "other_setting"
    stage = Stage.OPTIMIZER
    roundoff = 2.0**-24

    def apply(self, site: OptimizerSite) -> None:
        """Change the defaults of one optimizer, or what all schedulers do once they are built."""
        if self.how == "weight_decay":
            site.defaults["weight_decay"] = 0.0
        elif self.how == "schedule":
            original = LRScheduler.step

            def step(scheduler: LRScheduler, epoch: int | None = None) -> None:
                if getattr(scheduler, "last_epoch", -1) < 0:
                    original(scheduler, epoch)

            LRScheduler.step = step
        else:
            site.defaults["lr"] *= 0.99 if self.how == "learning_rate" else 2.0
