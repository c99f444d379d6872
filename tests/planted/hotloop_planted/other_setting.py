"""One setting of an optimizer that is not the program's."""

from collections.abc import Iterator
from typing import Any, Literal

from torch.optim.lr_scheduler import LRScheduler
from torch.optim.optimizer import Optimizer, register_optimizer_step_pre_hook

from hotloop.transform import OptimizerSite, Stage, TransformBase
from hotloop_planted.acted import acted


class OtherSetting(TransformBase):
    """Takes weight decay away, changes the learning rate, moments, eps, or keeps schedulers from stepping."""

    how: Literal[
        "weight_decay", "learning_rate", "learning_rate_doubled", "schedule", "momentum", "second_moment",
        "eps", "variant",
    ] = "weight_decay"  # fmt: skip
    name = "other_setting"
    stage = Stage.OPTIMIZER
    roundoff = 2.0**-24

    def apply(self, site: OptimizerSite) -> None:
        """Change the defaults of one optimizer, or what all schedulers do once they are built."""
        before = dict(site.defaults)
        if self.how == "schedule":
            _stop_schedules()
        elif self.how.startswith("learning_rate"):
            site.defaults["lr"] *= 0.99 if self.how == "learning_rate" else 2.0
        else:
            _CHANGES[self.how](site.defaults)
        _tell_when_used(dict(_parts(before)), dict(_parts(site.defaults)))


def _parts(settings: dict[str, Any]) -> Iterator[tuple[tuple[str, int], Any]]:
    """Each setting by itself; of a pair each half, since a schedule may set one and leave the other."""
    for key, value in settings.items():
        for number, part in enumerate(value if isinstance(value, tuple) else (value,)):
            yield (key, number), part


def _tell_when_used(before: dict[tuple[str, int], Any], after: dict[tuple[str, int], Any]) -> None:
    """A schedule may have set what was changed to its own values before the first step."""
    changed = {key: value for key, value in after.items() if before.get(key) != value}

    def before_step(optimizer: Optimizer, *_: Any) -> None:
        used = [dict(_parts(group)) for group in optimizer.param_groups]
        if any(group.get(key) == value for group in used for key, value in changed.items()):
            acted()

    if changed:
        register_optimizer_step_pre_hook(before_step)


def _stop_schedules() -> None:
    original = LRScheduler.step

    def step(scheduler: LRScheduler, epoch: int | None = None) -> None:
        if getattr(scheduler, "last_epoch", -1) < 0:
            original(scheduler, epoch)
        else:
            acted()

    LRScheduler.step = step


def _no_decay(defaults: dict[str, Any]) -> None:
    if defaults.get("weight_decay"):
        defaults["weight_decay"] = 0.0


def _other_momentum(defaults: dict[str, Any]) -> None:
    if defaults.get("momentum"):
        defaults["momentum"] = 0.8
    elif "betas" in defaults:
        defaults["betas"] = (0.8, defaults["betas"][1])


def _other_second_moment(defaults: dict[str, Any]) -> None:
    if "betas" in defaults:
        defaults["betas"] = (defaults["betas"][0], 0.95)


def _other_eps(defaults: dict[str, Any]) -> None:
    if "eps" in defaults:
        defaults["eps"] = 1e-6


def _other_variant(defaults: dict[str, Any]) -> None:
    if "amsgrad" in defaults:
        defaults["amsgrad"] = True
    elif defaults.get("momentum"):
        defaults["nesterov"] = True


_CHANGES = {
    "weight_decay": _no_decay,
    "momentum": _other_momentum,
    "second_moment": _other_second_moment,
    "eps": _other_eps,
    "variant": _other_variant,
}
