"""The call of a root module under a plan, held where torch itself keeps a compiled call.

`nn.Module.__call__` goes to the instance's `_compiled_call_impl` where there is one. torch leaves it out of pickles and
copies, and TorchScript, torch.export and Dynamo go past it to `forward`: nothing that a program saves or exports knows
of the plan.
"""

import sys
import weakref
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, Protocol

import torch
from torch import nn
from torch._C._dynamo import eval_frame

ATTRIBUTE = "_compiled_call_impl"

Call = Callable[..., Any]


class AroundCall(Protocol):
    """What a plan does around the call of a root module: it calls `call` and returns the outputs."""

    def __call__(self, module: nn.Module, call: Call, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The outputs of `call(*args, **kwargs)`."""
        ...


class SometimesAround(AroundCall, Protocol):
    """What is around few of the calls: asked before each, which must cost next to nothing."""

    def is_due(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
        """Whether this call is one of them."""
        ...


class InsteadOfCall:
    """Stands in `_compiled_call_impl`; `compiled` is the compiled call that a program or a plan put there.

    It holds no module, which would keep that alive in a ring, but looks up who called it: a shallow copy of a module
    calls its own parameters. Where a class pickles or copies its whole `__dict__`, None is found in its place.
    """

    def __init__(self, compiled: "CompiledCall | None" = None) -> None:
        self.compiled = compiled

    def __reduce__(self) -> tuple[type[None], tuple[()]]:
        """None."""
        return type(None), ()

    def own_call(self, module: nn.Module) -> Call:
        """What would be called without this: the compiled call of that very module, or its eager one."""
        if self.compiled is None or self.compiled.owner() is not module or is_traced():
            return module._call_impl  # pyright: ignore[reportPrivateUsage]
        return self.compiled.call


def not_compiled_itself(function: Call) -> Call:
    """`function`, whose own frame Dynamo leaves alone where it comes by; what it calls may be compiled.

    What torch._dynamo.decorators.skip does, without loading Dynamo, which takes seconds.
    """
    actions: Any = eval_frame._FrameAction  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue]
    strategy: Any = eval_frame._FrameExecStrategy(actions.SKIP, actions.DEFAULT)  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue]
    eval_frame.set_code_exec_strategy(function.__code__, strategy)  # pyright: ignore[reportFunctionMemberAccess]
    return function


class CompiledCall:
    """A compiled call, the module that it was compiled for, and whether the plan compiled it."""

    def __init__(self, module: nn.Module, call: Call, *, is_planned: bool) -> None:
        self.owner = weakref.ref(module)
        self.call = call
        self.is_planned = is_planned


class PlannedCall(InsteadOfCall):
    """Calls a module inside of what a plan puts around it; steps aside where the module is traced or exported."""

    def __init__(
        self,
        compiled: CompiledCall | None = None,
        around: tuple[AroundCall, ...] = (),
        sometimes: SometimesAround | None = None,
    ) -> None:
        super().__init__(compiled)
        self.around, self.sometimes = around, sometimes

    def with_compiled(self, compiled: CompiledCall | None) -> "PlannedCall":
        """The same around another compiled call."""
        return PlannedCall(compiled, self.around, self.sometimes)

    @not_compiled_itself
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The outputs of the module whose call came here."""
        module: nn.Module = sys._getframe(1).f_locals["self"]  # pyright: ignore[reportPrivateUsage]
        if _aside.depth or is_traced():
            return module._call_impl(*args, **kwargs)  # pyright: ignore[reportPrivateUsage]
        if self.sometimes is not None and self.sometimes.is_due(module, args, kwargs):
            return self._called(module, (*self.around, self.sometimes), args, kwargs)
        return self._called(module, self.around, args, kwargs)

    def _called(self, module: nn.Module, around: tuple[AroundCall, ...], args: Any, kwargs: Any) -> Any:
        if not around:
            return self.own_call(module)(*args, **kwargs)
        *inner, outermost = around

        def call(*args: Any, **kwargs: Any) -> Any:
            return self._called(module, tuple(inner), args, kwargs)

        return outermost(module, call, args, kwargs)


class _Aside:
    depth = 0


_aside = _Aside()


@contextmanager
def without_plan() -> Generator[None]:
    """Root modules are called as the plain program calls them: eagerly, with nothing around them."""
    _aside.depth += 1
    try:
        yield
    finally:
        _aside.depth -= 1


def is_traced() -> bool:
    """Whether what is called now becomes part of a program that is kept: a trace, a script, a graph, an export."""
    return bool(torch.jit.is_tracing()) or torch.compiler.is_compiling() or torch.compiler.is_exporting()


def instead_of_call(module: nn.Module) -> Any:
    """What this instance calls in place of its eager call; None where it has nothing of its own."""
    return module.__dict__.get(ATTRIBUTE)


def put_instead_of_call(module: nn.Module, call: Call | None) -> None:
    """Let this instance call `call`, or its eager call for None."""
    if call is None:
        module.__dict__.pop(ATTRIBUTE, None)
    else:
        module.__dict__[ATTRIBUTE] = call


def call_around(module: nn.Module, around: AroundCall) -> None:
    """Let calls of a root module go through `around`, outside of what is around them already."""
    planned = _planned_call(module)
    put_instead_of_call(module, PlannedCall(planned.compiled, (*planned.around, around), planned.sometimes))


def call_sometimes_around(module: nn.Module, sometimes: SometimesAround) -> None:
    """Let the calls of a root module that are due go through this one, outside of all that is around them."""
    planned = _planned_call(module)
    put_instead_of_call(module, PlannedCall(planned.compiled, planned.around, sometimes))


def call_compiled(module: nn.Module, call: Call) -> None:
    """Let a root module make `call` in place of its eager call, inside of what is around it."""
    put_instead_of_call(module, _planned_call(module).with_compiled(CompiledCall(module, call, is_planned=True)))


def own_compiled(own: Any) -> bool:
    """Whether what `instead_of_call` gave is a compiled call, or holds one, of the program or of a plan."""
    return own is not None and (not isinstance(own, InsteadOfCall) or own.compiled is not None)


def is_compiled_by_program(module: nn.Module) -> bool:
    """Whether the program itself has called `module.compile()`."""
    own = instead_of_call(module)
    if isinstance(own, InsteadOfCall):
        return own.compiled is not None and not own.compiled.is_planned
    return own is not None


def _planned_call(module: nn.Module) -> PlannedCall:
    own = instead_of_call(module)
    if isinstance(own, PlannedCall):
        return own
    if own is None or isinstance(own, InsteadOfCall):
        return PlannedCall(own.compiled if own is not None else None)
    return PlannedCall(CompiledCall(module, own, is_planned=False))
