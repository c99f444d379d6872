"""Keeps a thread from drawing of the random stream that the program draws from meanwhile."""

from typing import Any

import torch
from torch.overrides import TorchFunctionMode

_NAMES = """
    rand randn randint randperm rand_like randn_like randint_like bernoulli multinomial normal poisson binomial
    random_ uniform_ normal_ bernoulli_ exponential_ cauchy_ log_normal_ geometric_ standard_gamma _standard_gamma
    _sample_dirichlet dropout dropout_ alpha_dropout alpha_dropout_ feature_dropout feature_dropout_
    feature_alpha_dropout feature_alpha_dropout_ dropout1d dropout2d dropout3d native_dropout rrelu rrelu_
    gumbel_softmax fractional_max_pool2d fractional_max_pool3d
"""
_DRAWING = frozenset(_NAMES.split())


class DrawsInThread(Exception):
    """A random number was about to be drawn; none was."""


class NoDraws(TorchFunctionMode):
    """In this thread, functions of torch that draw from the stream of all raise DrawsInThread before they draw."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = kwargs or {}
        if getattr(func, "__name__", "") in _DRAWING and given.get("generator") in (None, torch.default_generator):
            raise DrawsInThread(func.__name__)
        return func(*args, **given)
