"""The context that a reward gets with the actions: the answer of a user's extractor, checked and aligned to them.

B episodes, T steps, C channels of context, M actions.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hotloop.train.callers import warn

Extractor = Callable[[Any], Any]
_EXTRACTOR_ERRORS = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
_KEYS = ("prices", "price_matrix", "returns", "context")


class ContextSource:
    """Context (B, T, C) for a batch of inputs, by a user's `extractor`.

    The extractor gets the tensor. Where its first call raises TypeError, a NumPy copy is tried; if that works, one
    RuntimeWarning is given and NumPy copies are passed from then on; if not, the first TypeError is raised. Later
    errors propagate. The first answer is checked to be finite (one host read); later ones only for their shape.
    """

    def __init__(self, extractor: Extractor) -> None:
        self._extractor = extractor
        self.is_numpy = False
        self._is_checked = False

    def __call__(self, inputs: Tensor) -> Tensor:
        """The context of `inputs` (B, T, ...), detached, of their dtype and on their device."""
        answer = self._ask(inputs)
        context = as_episodes(to_tensor(answer, inputs), inputs)
        if not self._is_checked and not bool(context.isfinite().all()):
            raise ValueError(
                f"the context extractor returned NaN or infinity (shape {tuple(context.shape)}); only finite values "
                "are allowed: clean the series, or guard divisions in the extractor"
            )
        self._is_checked = True
        return context

    def _ask(self, inputs: Tensor) -> Any:
        if self.is_numpy:
            return self._extractor(_copied(inputs))
        if self._is_checked:
            return self._extractor(inputs)
        try:
            return self._extractor(inputs)
        except TypeError as error:
            return self._ask_with_numpy(inputs, error)

    def _ask_with_numpy(self, inputs: Tensor, error: TypeError) -> Any:
        try:
            answer = self._extractor(_copied(inputs))
        except _EXTRACTOR_ERRORS as second:
            error.add_note(f"with a NumPy copy of the inputs it raised {type(second).__name__}: {second}")
            raise error from None
        self.is_numpy = True
        warn(
            f"the context extractor raised TypeError for a torch.Tensor ({error}), so the NumPy fallback is used: each "
            "update copies its inputs to the host and the context back, which is slow, above all on CUDA. Accept a "
            "torch.Tensor and return a tensor on the same device and of the same dtype.",
            RuntimeWarning,
        )
        return answer


def to_tensor(answer: Any, like: Tensor) -> Tensor:
    """The tensor in an extractor's answer, detached, with the dtype and device of `like`.

    Of a mapping, the entry prices, price_matrix, returns or context, else the first that is an array; of a tuple or
    list, the first. Raises TypeError where there is none.
    """
    if isinstance(answer, Mapping):
        ordered = [answer[key] for key in _KEYS if key in answer]
        return _first([*ordered, *answer.values()], answer, like)
    if isinstance(answer, tuple):
        return to_tensor(answer[0], like) if answer else _refuse(answer)
    if isinstance(answer, list) and any(not isinstance(item, (int, float)) for item in answer):
        return _first(answer, answer, like)
    if isinstance(answer, Tensor):
        return answer.detach().to(device=like.device, dtype=like.dtype)
    if isinstance(answer, (np.ndarray, np.number, int, float, list)):
        array = np.asarray(answer)
        if array.dtype.kind in "fiub":
            return torch.as_tensor(array).to(device=like.device, dtype=like.dtype)
    return _refuse(answer)


def as_episodes(context: Tensor, inputs: Tensor) -> Tensor:
    """`context` as (B, T, C) for `inputs` (B, T, ...). Raises ValueError with both shapes where they do not fit."""
    lead = tuple(inputs.shape[:2])
    if context.ndim == 2:
        context = context.unsqueeze(-1) if tuple(context.shape) == lead else context.unsqueeze(0)
    elif context.ndim > 3:
        context = context.flatten(2)
    if context.ndim != 3 or tuple(context.shape[:2]) != lead or context.shape[2] == 0:
        raise ValueError(
            f"the context has shape {tuple(context.shape)} for inputs of shape {tuple(inputs.shape)}; allowed are "
            f"(episodes, steps, channels) = ({lead[0]}, {lead[1]}, C), or (episodes, steps): keep the first two "
            "dimensions of the inputs"
        )
    return context


def align(context_BTC: Tensor, shape: torch.Size | tuple[int, ...]) -> Tensor:
    """The context widened or narrowed to actions of `shape` (..., M).

    M channels stay; for M = 1 their mean is taken; one channel is expanded; of more than M the first M are kept;
    fewer are each repeated ceil(M / C) times, and cut. Raises ValueError where the other dimensions differ.
    """
    channels, width = context_BTC.shape[-1], shape[-1]
    if tuple(context_BTC.shape[:-1]) != tuple(shape[:-1]):
        raise ValueError(
            f"the context has shape {tuple(context_BTC.shape)} and the actions {tuple(shape)}; all dimensions but the "
            "last must be equal: return one row of context for each step of each episode"
        )
    if channels == width:
        return context_BTC
    if width == 1:
        return context_BTC.mean(-1, keepdim=True)
    if channels == 1:
        return context_BTC.expand(shape)
    if channels > width:
        return context_BTC[..., :width]
    return context_BTC.repeat_interleave(-(-width // channels), -1)[..., :width]


def _first(candidates: list[Any], answer: Any, like: Tensor) -> Tensor:
    for candidate in candidates:
        if isinstance(candidate, (Tensor, np.ndarray, list, tuple)):
            return to_tensor(candidate, like)
    return _refuse(answer)


def _refuse(answer: Any) -> Tensor:
    raise TypeError(
        f"the context extractor returned {type(answer).__name__}; allowed are a tensor, a numeric array, or a tuple, "
        "list or mapping that holds one: return a tensor of shape (episodes, steps, channels)"
    )


def _copied(inputs: Tensor) -> np.ndarray[Any, Any]:
    return inputs.detach().cpu().numpy().copy()
