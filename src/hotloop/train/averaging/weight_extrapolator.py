"""Jumps ahead along the way of the weights, where a probe says that it helps."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, SupportsFloat, get_args

import numpy as np
import torch
from torch import Tensor

from hotloop.train.averaging.extrapolations import EXTRAPOLATIONS

Kind = Literal["linear", "dmd", "anderson"]


@dataclass(frozen=True, kw_only=True)
class Extrapolation:
    """One attempt: the probed loss before and after the jump, and whether the weights are the new ones."""

    before: float
    after: float
    is_accepted: bool


class WeightExtrapolator:
    """Call `step` after each step of the optimizer. Every `every` steps the weights are a point; after `num_points` of
    them they jump to where `kind` sees the points going, `horizon` points ahead.

    `probe()` returns the loss to judge by, with the model as it is; a jump that does not lower it, or gives NaN, is
    taken back to the last bit, and the next attempt waits twice as long. The points take `num_points` copies of the
    weights. It helped plain gradient descent on full batches; with noise of batches, momentum or Adam it did not.
    Raises ValueError for settings that are not allowed.
    """

    def __init__(
        self,
        parameters: Iterable[Tensor],
        probe: Callable[[], SupportsFloat],
        *,
        kind: Kind = "dmd",
        every: int = 5,
        num_points: int = 6,
        horizon: int = 10,
    ) -> None:
        if kind not in get_args(Kind):
            raise ValueError(f"kind: got {kind!r}; allowed are {', '.join(get_args(Kind))}")
        for name, value, least in (("every", every, 1), ("num_points", num_points, 3), ("horizon", horizon, 1)):
            if value < least:
                raise ValueError(f"{name}: got {value}; at least {least} is allowed")
        self._parameters = list(parameters)
        self._probe, self._extrapolate = probe, EXTRAPOLATIONS[kind]
        self._every, self._num_points, self._horizon = every, num_points, horizon
        self._points: list[Tensor] = []
        self._num_steps = 0
        self._pause = self._waits_until = 0
        self.num_accepted = self.num_rejected = 0

    @torch.no_grad()
    def step(self) -> Extrapolation | None:
        """What was tried after this step; None where it was not time. Only a trial reads from the device."""
        self._num_steps += 1
        if self._num_steps <= self._waits_until or self._num_steps % self._every:
            return None
        self._points.append(torch.cat([parameter.detach().reshape(-1).float() for parameter in self._parameters]))
        if len(self._points) < self._num_points:
            return None
        tried = self._try(torch.stack(self._points))
        self._points.clear()
        self.num_accepted += tried.is_accepted
        self.num_rejected += not tried.is_accepted
        self._pause = 0 if tried.is_accepted else max(self._every, 2 * self._pause)
        self._waits_until = self._num_steps + self._pause
        return tried

    def _try(self, points: Tensor) -> Extrapolation:
        differences = points.diff(dim=0)
        exact = differences.double()  # extrapolations invert this matrix, which squares what float32 has lost
        gram = (exact @ exact.T).cpu().numpy()
        weights = self._extrapolate(gram, self._horizon) if np.isfinite(gram).all() else np.zeros(len(gram))
        before = float(self._probe())
        kept = [parameter.clone() for parameter in self._parameters]
        moves = torch.from_numpy(weights).to(differences) @ differences
        pieces = (points[-1] + moves).split([parameter.numel() for parameter in self._parameters])
        for parameter, piece in zip(self._parameters, pieces, strict=True):
            parameter.copy_(piece.view(parameter.shape))
        is_accepted = False
        try:
            after = float(self._probe())
            is_accepted = after < before
        finally:
            if not is_accepted:
                for parameter, value in zip(self._parameters, kept, strict=True):
                    parameter.copy_(value)
        return Extrapolation(before=before, after=after, is_accepted=is_accepted)
