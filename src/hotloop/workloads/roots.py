"""Root modules: those called while no other module with parameters is called. Each is met once, at its first call.

Every module gets a stand-in for its call when it is made, unpickled or copied, which its first call removes; nothing
is left of it in a step, and `nn.Module.__call__` stays as it is.
"""

import gc
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import wraps
from types import FrameType
from typing import Any

import torch
from torch import nn
from torch.jit import _recursive  # pyright: ignore[reportPrivateUsage]  # TorchScript's list of what it does not compile
from torch.nn.parameter import is_lazy

from hotloop.compile.root_call import (
    ATTRIBUTE,
    CompiledCall,
    InsteadOfCall,
    PlannedCall,
    instead_of_call,
    is_traced,
    not_compiled_itself,
    put_instead_of_call,
    without_plan,
)
from hotloop.workloads.patched import patched


class _Meeting:
    """What is told of roots; nothing any more once the hooks are gone."""

    def __init__(self, meet: Callable[[nn.Module], None]) -> None:
        self.meet = meet
        self.is_open = True
        self._first_call = _FirstCall(self)  # one for all, but for those that are compiled before their first call

    def watch(self, module: nn.Module) -> None:
        """Let the first call of a module come here."""
        if torch.compiler.is_compiling():
            return
        own = instead_of_call(module)
        if own is None:
            put_instead_of_call(module, self._first_call)
        elif not isinstance(own, InsteadOfCall):
            put_instead_of_call(module, _FirstCall(self, CompiledCall(module, own, is_planned=False)))
        elif isinstance(own, _FirstCall) and not own.meeting.is_open:
            put_instead_of_call(module, _FirstCall(self, own.compiled))


_CALL = nn.Module._wrapped_call_impl.__code__  # pyright: ignore[reportPrivateUsage, reportFunctionMemberAccess]


class _FirstCall(InsteadOfCall):
    """The first call of a module: `meeting` is told of it where it is a root, and then it is called as ever."""

    def __init__(self, meeting: _Meeting, compiled: CompiledCall | None = None) -> None:
        super().__init__(compiled)
        self.meeting = meeting

    @not_compiled_itself
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        frame = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
        module: nn.Module = frame.f_locals["self"]
        if is_traced():
            return module._call_impl(*args, **kwargs)  # pyright: ignore[reportPrivateUsage]
        meet_at_first_call(module, frame.f_back)
        if instead_of_call(module) is self:
            return self.own_call(module)(*args, **kwargs)
        return module._wrapped_call_impl(*args, **kwargs)  # pyright: ignore[reportPrivateUsage]

    def leave(self, module: nn.Module) -> None:
        """Let the module be called as the program left it."""
        put_instead_of_call(module, self.compiled.call if self.compiled is not None else None)


def meet_at_first_call(module: nn.Module, caller: FrameType | None) -> None:
    """Tell of a root whose first call is about to start, made by `caller`.

    One whose parameters are yet to be inferred is plain until it has them.
    """
    own = instead_of_call(module)
    if not isinstance(own, _FirstCall):
        return
    parameters = list(module.parameters())
    if any(map(is_lazy, parameters)):
        return
    if not parameters or _is_part_of_a_call(caller):
        own.leave(module)
        return
    for part in module.modules():
        if isinstance(stand_in := instead_of_call(part), _FirstCall):
            stand_in.leave(part)
    if own.meeting.is_open:
        own.meeting.meet(module)


def _is_part_of_a_call(frame: FrameType | None) -> bool:
    """Whether a module with parameters is called further up; one without, such as a loss, only passes the call on."""
    while frame is not None:
        if frame.f_code is _CALL and any(True for _ in frame.f_locals["self"].parameters()):
            return True
        frame = frame.f_back
    return False


def _outside_of_plan(tracing: Callable[..., Any]) -> Callable[..., Any]:
    """`tracing`, which compares the trace with further calls of the module: those must be plain too."""

    @wraps(tracing)
    def traced(*args: Any, **kwargs: Any) -> Any:
        with without_plan():
            return tracing(*args, **kwargs)

    return traced


@contextmanager
def roots_met(meet: Callable[[nn.Module], None]) -> Generator[None]:
    """`meet` is called with each root before its first call, whenever the program makes it."""
    meeting = _Meeting(meet)
    originals = nn.Module.__init__, nn.Module.__setstate__, nn.Module.compile

    @wraps(originals[0])
    def init(self: nn.Module, *args: Any, **kwargs: Any) -> None:
        originals[0](self, *args, **kwargs)
        meeting.watch(self)

    @wraps(originals[1])
    def setstate(self: nn.Module, state: Any) -> None:
        originals[1](self, state)
        meeting.watch(self)

    @wraps(originals[2])
    def compile_(self: nn.Module, *args: Any, **kwargs: Any) -> None:
        own = instead_of_call(self)
        originals[2](self, *args, **kwargs)
        compiled = CompiledCall(self, instead_of_call(self), is_planned=False)
        if isinstance(own, _FirstCall):
            put_instead_of_call(self, _FirstCall(own.meeting, compiled))
        elif isinstance(own, PlannedCall):
            put_instead_of_call(self, own.with_compiled(compiled))

    for module in [thing for thing in gc.get_objects() if issubclass(type(thing), nn.Module)]:
        meeting.watch(module)
    with (
        patched(nn.Module, "__init__", init),
        patched(nn.Module, "__setstate__", setstate),
        patched(nn.Module, "compile", compile_),
        patched(_recursive, "ignored_attributes", [*_recursive.ignored_attributes, ATTRIBUTE]),
        patched(torch.jit, "trace", _outside_of_plan(torch.jit.trace)),
        patched(torch.jit, "trace_module", _outside_of_plan(torch.jit.trace_module)),
    ):
        try:
            yield
        finally:
            meeting.is_open = False
