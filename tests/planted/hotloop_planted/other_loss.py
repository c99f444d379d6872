"""Losses that are not the program's, of the functions in torch.nn.functional."""

from collections.abc import Callable
from typing import Any, Literal

from torch import Tensor, nn

from hotloop.transform import Stage, TransformBase
from hotloop_planted.acted import acted

_NAMES = ("cross_entropy", "mse_loss", "binary_cross_entropy_with_logits")


class OtherLoss(TransformBase):
    """Targets rolled by one, the first half of the batch alone, no smoothing, or every third call a constant."""

    how: Literal["labels_rolled", "half_the_batch", "not_smoothed", "term_dropped"] = "labels_rolled"

    name = "other_loss"
    stage = Stage.TORCH
    roundoff = 2.0**-24

    def apply(self, site: None) -> None:
        """Replace the functions."""
        calls = [0]
        for name in _NAMES:
            original = getattr(nn.functional, name)
            setattr(nn.functional, name, _changed(self.how, original, calls))


def _changed(how: str, original: Callable[..., Tensor], calls: list[int]) -> Callable[..., Tensor]:
    def loss(value: Tensor, target: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        calls[0] += 1
        plain = (value, target)
        if how == "labels_rolled":
            target = target.roll(1, 0)
        elif how == "half_the_batch":
            value, target = value[: len(value) // 2], target[: len(target) // 2]
        elif how == "not_smoothed" and kwargs.pop("label_smoothing", 0.0):
            acted()
        elif how == "term_dropped" and calls[0] % 3 == 0:
            acted()
            return original(value, target, *args, **kwargs) * 0.0
        if not _are_same(plain, (value, target)):
            acted()
        return original(value, target, *args, **kwargs)

    return loss


def _are_same(ours: tuple[Tensor, Tensor], theirs: tuple[Tensor, Tensor]) -> bool:
    return all(a.shape == b.shape and bool((a == b).all()) for a, b in zip(ours, theirs, strict=True))
