"""Loss scaling for float16, wholly on the device: the arithmetic of torch.amp.GradScaler without its host reads."""

import torch
from torch import Tensor

_INITIAL, _GROWTH, _BACKOFF, _INTERVAL = 65536.0, 2.0, 0.5, 2000  # torch.amp.GradScaler's defaults


class LossScale:
    """A scale that halves after an overflow and doubles after 2000 steps without one."""

    def __init__(self, device: torch.device) -> None:
        self.scale = torch.full((), _INITIAL, device=device)
        self._clean_steps = torch.zeros((), dtype=torch.int32, device=device)

    def scaled(self, loss: Tensor) -> Tensor:
        """The loss to differentiate."""
        return loss * self.scale

    def unscale(self, grads: Tensor) -> Tensor:
        """Divide `grads` by the scale in place; 1 where one of them overflowed, else 0."""
        overflow = torch.zeros((), device=grads.device)
        torch._amp_foreach_non_finite_check_and_unscale_(  # pyright: ignore[reportPrivateUsage]
            [grads], overflow, self.scale.reciprocal()
        )
        return overflow

    def update(self, overflow: Tensor) -> None:
        """Move the scale after a step."""
        torch._amp_update_scale_(  # pyright: ignore[reportPrivateUsage]
            self.scale, self._clean_steps, overflow, _GROWTH, _BACKOFF, _INTERVAL
        )
