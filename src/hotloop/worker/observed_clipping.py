"""Records each clipping of gradients: its limit, and the norm that was found."""

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch.nn.utils import clip_grad

from hotloop.worker.observed_errors import Fail, contained


class ObservedClipping:
    """Step, name of the function, limit and total norm (None for clipping by value) of each call, in order."""

    def __init__(self, *, step: Callable[[], int]) -> None:
        self._step = step
        self._calls: list[list[Any]] = []

    def follow(self, fail: Fail) -> None:
        """Have the clippings of this process recorded.

        Clipping by norm is seen where torch scales the gradients, below what a plan may have put around it.
        """
        by_norm = contained(self._by_norm, fail)
        by_value = contained(self._by_value, fail)
        scaled = _telling(clip_grad._clip_grads_with_norm_, by_norm)  # pyright: ignore[reportPrivateUsage]
        clip_grad._clip_grads_with_norm_ = torch.nn.utils.clip_grads_with_norm_ = scaled  # pyright: ignore[reportPrivateUsage]
        cut = _telling(clip_grad.clip_grad_value_, by_value)
        clip_grad.clip_grad_value_ = torch.nn.utils.clip_grad_value_ = cut

    def to_data(self) -> list[list[Any]]:
        """What was seen."""
        return self._calls

    def _by_norm(self, _parameters: Any, max_norm: float, total_norm: Any, *_: Any, **__: Any) -> None:
        self._calls.append([self._step() + 1, "norm", float(max_norm), float(total_norm)])

    def _by_value(self, _parameters: Any, clip_value: float, *_: Any, **__: Any) -> None:
        self._calls.append([self._step() + 1, "value", float(clip_value), None])


def _telling(original: Callable[..., Any], tell: Callable[..., None]) -> Callable[..., Any]:
    def clip(*args: Any, **kwargs: Any) -> Any:
        if not torch.compiler.is_compiling():  # in a graph there is no number yet
            tell(*args, **kwargs)
        return original(*args, **kwargs)

    return functools.wraps(original)(clip)
