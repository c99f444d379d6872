"""Hooks around the calls of a module, which no copy and no checkpoint of the module carries along."""

from collections.abc import Callable
from typing import Any

from torch import nn


def around(
    module: nn.Module, before: Callable[[nn.Module], None], after: Callable[[], None], *, outermost: bool = False
) -> tuple[Callable[[], None], Callable[[], None]]:
    """Call `before` and `after` with every call of `module`, errors included; what comes back takes the hooks away."""
    entering = module.register_forward_pre_hook(_Before(before), prepend=outermost)
    leaving = module.register_forward_hook(_After(after), always_call=True)
    return entering.remove, leaving.remove


def seeing(module: nn.Module, look: Callable[[Any], None]) -> Callable[[], None]:
    """Call `look` with the (args, kwargs) of every call of `module`; what comes back takes the hook away."""
    return module.register_forward_pre_hook(_Seeing(look), with_kwargs=True).remove


class _Seeing:
    def __init__(self, look: Callable[[Any], None]) -> None:
        self._look = look

    def __call__(self, _module: nn.Module, args: Any, kwargs: Any) -> None:
        self._look((args, kwargs))

    def __reduce__(self) -> Any:
        return (_absent, ())


class _Before:
    def __init__(self, call: Callable[[nn.Module], None]) -> None:
        self._call = call

    def __call__(self, module: nn.Module, _args: Any) -> None:
        self._call(module)

    def __reduce__(self) -> Any:
        return (_absent, ())


class _After:
    def __init__(self, call: Callable[[], None]) -> None:
        self._call = call

    def __call__(self, _module: nn.Module, _args: Any, _result: Any) -> None:
        self._call()

    def __reduce__(self) -> Any:
        return (_absent, ())


def _nothing(*_: Any) -> None:
    """What a hook becomes in a copy of its module."""


def _absent() -> Callable[..., None]:
    return _nothing
