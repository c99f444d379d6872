"""Selects nothing before most examples are easy."""

from dataclasses import dataclass

from torch import Tensor

from hotloop.train.selection.loss_table import is_easy


@dataclass(frozen=True, kw_only=True)
class EasyShareGate:
    """Open where more than `min_easy_share` of all examples have a loss under `threshold` times the mean loss.

    Selection gained late in training on separable classes, where that holds, and lost elsewhere: early, in regression,
    and on text, where all sequences stay equally hard. Examples that were never seen are not easy.
    """

    min_easy_share: float = 0.5
    threshold: float = 0.1

    def __post_init__(self) -> None:
        for name in ("min_easy_share", "threshold"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name}: got {getattr(self, name)}; a number from 0 to 1 is allowed")

    def easy_share(self, losses: Tensor) -> float:
        """The share of easy examples; reads one number."""
        return is_easy(losses, threshold=self.threshold).float().mean().item()

    def is_open(self, losses: Tensor) -> bool:
        """Whether selection may run."""
        return self.easy_share(losses) > self.min_easy_share
