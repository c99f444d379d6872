"""Every table of hooks that an eager step would call."""

from collections.abc import Sized
from operator import attrgetter
from typing import Any

import torch.optim.optimizer as optimizer_internals
from torch import nn
from torch.nn.modules import module as module_internals
from torch.optim import Optimizer

_ON_MODULES = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
_ON_ALL_MODULES = (
    "_global_forward_hooks",
    "_global_forward_pre_hooks",
    "_global_backward_hooks",
    "_global_backward_pre_hooks",
)
_ON_OPTIMIZERS = ("_optimizer_step_pre_hooks", "_optimizer_step_post_hooks")
_ON_ALL_OPTIMIZERS = ("_global_optimizer_pre_hooks", "_global_optimizer_post_hooks")

_on_gradient = attrgetter("_backward_hooks")
_after_gradient = attrgetter("_post_accumulate_grad_hooks")


class _ParameterHooks:
    """True while any of the parameters has a hook; their tables are made only when the first hook is registered."""

    def __init__(self, parameters: list[Any]) -> None:
        self._parameters = parameters

    def __bool__(self) -> bool:
        return any(map(_on_gradient, self._parameters)) or any(map(_after_gradient, self._parameters))


def hook_tables(modules: list[nn.Module], optimizer: Optimizer) -> list[Sized | _ParameterHooks]:
    """The live tables: one is true while a hook is in it."""
    tables: list[Any] = [getattr(module_internals, name) for name in _ON_ALL_MODULES]
    tables += [getattr(optimizer_internals, name) for name in _ON_ALL_OPTIMIZERS]
    tables += [getattr(module, name) for module in modules for name in _ON_MODULES]
    tables += [getattr(optimizer, name) for name in _ON_OPTIMIZERS]
    parameters = list({id(p): p for module in modules for p in module.parameters(recurse=False)}.values())
    return [*tables, _ParameterHooks(parameters)]
