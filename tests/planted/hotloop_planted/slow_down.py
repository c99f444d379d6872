"""A real slow-down of known size."""

import time
from typing import Any

import torch
from torch.optim.optimizer import register_optimizer_step_post_hook

from hotloop.transform import Stage, TransformBase

_CALIBRATION_STEPS = 8


class SlowDown(TransformBase):
    """Adds matrix products that take `percent` of a step, after each step.

    Their number is found in the first eight steps (the fastest step, the fastest product) and then stays as it is: it
    is extra work, not a clock that is watched.
    """

    percent: float = 5.0

    name = "slow_down"
    stage = Stage.TORCH

    def apply(self, site: None) -> None:
        """Hook the end of every step."""
        register_optimizer_step_post_hook(_Ballast(self.percent / 100))


class _Ballast:
    def __init__(self, share: float) -> None:
        self._share = share
        self._matrix = torch.zeros(48, 48)
        self._step = self._product = float("inf")
        self._seen = 0
        self._products = 0
        self._left_at = 0.0

    def __call__(self, *_: Any) -> None:
        now = time.perf_counter()
        if self._seen < _CALIBRATION_STEPS:
            self._seen += 1
            self._calibrate(now)
        with torch.no_grad():
            for _ in range(self._products):
                self._matrix @ self._matrix  # the work is the point
        self._left_at = time.perf_counter()

    def _calibrate(self, now: float) -> None:
        if self._left_at:
            self._step = min(self._step, now - self._left_at)
        for _ in range(5):
            began = time.perf_counter()
            for _ in range(20):
                self._matrix @ self._matrix
            self._product = min(self._product, (time.perf_counter() - began) / 20)
        if self._step < float("inf"):
            self._products = max(1, round(self._share * self._step / self._product))
