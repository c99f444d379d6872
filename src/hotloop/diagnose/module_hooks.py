"""Hooks on the calls of a module, which no copy and no pickle of the module carries along."""

from collections.abc import Callable
from typing import Any

from torch import nn


def hook_calls(
    module: nn.Module, before: Callable[[nn.Module], None], after: Callable[[], None], *, outermost: bool = False
) -> Callable[[], None]:
    """Call `before` and `after` with every call of `module`, errors included; what is returned removes the hooks."""

    def enter(module: nn.Module, _args: Any) -> None:
        before(module)

    def leave(*_: Any) -> None:
        after()

    entering = module.register_forward_pre_hook(_Hook(enter), prepend=outermost)
    leaving = module.register_forward_hook(_Hook(leave), always_call=True)

    def remove() -> None:
        entering.remove()
        leaving.remove()

    return remove


def hook_inputs(module: nn.Module, look: Callable[[Any, Any], None]) -> Callable[[], None]:
    """Call `look` with args and kwargs of every call of `module`; what is returned removes the hook."""

    def enter(_module: nn.Module, args: Any, kwargs: Any) -> None:
        look(args, kwargs)

    return module.register_forward_pre_hook(_Hook(enter), with_kwargs=True).remove


class _Hook:
    """A hook that does nothing in a copy of its module."""

    def __init__(self, call: Callable[..., None] | None = None) -> None:
        self._call = call

    def __call__(self, *args: Any) -> None:
        if self._call is not None:
            self._call(*args)

    def __reduce__(self) -> Any:
        return (_Hook, ())
