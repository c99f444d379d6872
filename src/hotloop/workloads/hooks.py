"""Hooks in torch, by which an unmodified training program is followed and changed: steps, losses, and sites of a plan.

Everything is installed on torch's own classes before the program starts and removed after it. What is installed where
optimizers and loaders are built costs nothing in a step, so that an untouched program pays only for the step hook.
"""

import inspect
import weakref
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.optim.optimizer import Optimizer, register_optimizer_step_post_hook
from torch.utils.data import DataLoader

from hotloop.transform import OptimizerSite, Stage
from hotloop.workloads.patched import patched
from hotloop.workloads.started_plan import StartedPlan
from hotloop.workloads.updates_by_hand import UpdatesByHand

_STEPS_WITHOUT_LEADING = 64
_CALLS_WITHOUT_ROOT = 8


class Callbacks(Protocol):
    """What is called while a program trains."""

    def before_training(self) -> None:
        """The first optimizer is about to be built; the program has imported and parsed what it needs."""
        ...

    def loss(self, value: Tensor) -> None:
        """A backward pass is about to start from `value`, detached: what is to be kept must be copied.

        May be called many times a step.
        """
        ...

    def root(self, module: nn.Module) -> None:
        """An outermost module is about to be called for the first time; the plan has been applied to it."""
        ...

    def step(self, optimizer: Optimizer) -> None:
        """A step ended: the leading optimizer has updated its parameters."""
        ...


Around = Callable[..., AbstractContextManager[None]]  # called with the root and its arguments


@contextmanager
def hooked(started: StartedPlan, callbacks: Callbacks, *, around_roots: Around | None = None) -> Generator[None]:
    """torch with hooks at the sites that the plan needs, and at the first call of each root module.

    `around_roots` makes a context for each call of a root module, for as long as the program runs; without it the
    search for roots ends after a step and eight calls that brought no new one, and costs nothing from then on.
    """
    with ExitStack() as stack:
        stack.enter_context(_optimizers_built(started, callbacks))
        stack.enter_context(_roots_called(started, callbacks, around_roots))
        stack.enter_context(_loaders_built(started))
        yield


@contextmanager
def steps_seen(started: StartedPlan, callbacks: Callbacks) -> Generator[None]:
    """torch with hooks at the end of each step and at each backward pass: how a script's own loop is followed."""
    handle = register_optimizer_step_post_hook(_leading_step_hook(started, callbacks))
    by_hand = UpdatesByHand(started, callbacks)
    try:
        with _backward_seen(by_hand.loss), by_hand.seen():
            yield
    finally:
        handle.remove()


def _leading_step_hook(started: StartedPlan, callbacks: Callbacks) -> Callable[..., None]:
    """A post-step hook that ends a step only for the leading optimizer: the first that stepped.

    With several optimizers (GAN) one of them must count. A leading optimizer that has not stepped while others made
    64 steps has been replaced by the program (a new phase), and the one that steps then leads.
    """
    leading: weakref.ref[Optimizer] | None = None
    steps_left = _STEPS_WITHOUT_LEADING

    def after_step(optimizer: Optimizer, _args: Any, _kwargs: Any) -> None:
        nonlocal leading, steps_left
        current = leading() if leading is not None else None
        if current is not optimizer:
            steps_left -= 1
            if current is not None and steps_left > 0:
                return
            leading = weakref.ref(optimizer)
        steps_left = _STEPS_WITHOUT_LEADING
        started.steps += 1
        callbacks.step(optimizer)

    after_step._torchdynamo_disable = True  # pyright: ignore[reportFunctionMemberAccess]  # a compiled optimizer.step must not trace it
    return after_step


@contextmanager
def _backward_seen(told: Callable[[Tensor], None]) -> Generator[None]:
    """`Tensor.backward` looks up `torch.autograd.backward` at each call, so that one patch sees both."""
    original = torch.autograd.backward

    def backward(tensors: Any, *args: Any, **kwargs: Any) -> None:
        value = tensors if isinstance(tensors, Tensor) else next(iter(tensors), None)
        if value is not None:
            told(value.detach())
        original(tensors, *args, **kwargs)

    backward._torchdynamo_disable = True  # pyright: ignore[reportFunctionMemberAccess]
    with patched(torch.autograd, "backward", backward):
        yield


@contextmanager
def _optimizers_built(started: StartedPlan, callbacks: Callbacks) -> Generator[None]:
    original = Optimizer.__init__
    is_changed = bool(started.plan.at(Stage.OPTIMIZER))

    def init(self: Optimizer, params: Any, defaults: dict[str, Any]) -> None:
        callbacks.before_training()
        started.visit(Stage.OPTIMIZER, OptimizerSite(kind=type(self), defaults=defaults))
        original(self, params, defaults)
        if is_changed:
            self.register_load_state_dict_post_hook(lambda optimizer: _restore_flags(optimizer, defaults))

    with patched(Optimizer, "__init__", init):
        yield


def _restore_flags(optimizer: Optimizer, defaults: dict[str, Any]) -> None:
    """A checkpoint of the plain run carries the plain implementation's flags: put the plan's back."""
    for group in optimizer.param_groups:
        group.update({key: defaults[key] for key in ("fused", "foreach") if key in group})


@contextmanager
def _loaders_built(started: StartedPlan) -> Generator[None]:
    original = DataLoader.__init__
    signature = inspect.signature(original)

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        given = signature.bind(self, *args, **kwargs).arguments
        given.pop("self")
        started.visit(Stage.DATA, given)
        original(self, **given)
        started.prefetched_steps = max(started.prefetched_steps, self.num_workers * (self.prefetch_factor or 0))

    with patched(DataLoader, "__init__", init):
        yield


@contextmanager
def _roots_called(started: StartedPlan, callbacks: Callbacks, around: Around | None) -> Generator[None]:
    """Finds outermost modules: those called while no other module's call is under way.

    `nn.Module.__call__` is put back while a root runs (children cost nothing extra, and Dynamo sees the class it
    knows) and for good once a step has ended and eight calls brought no new root: each costs about half a
    millisecond, since torch's hundreds of module classes must forget what they cached.
    """
    original = nn.Module.__call__
    seen: weakref.WeakSet[nn.Module] = weakref.WeakSet()

    def call(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        if search.is_idle:  # torch.compile(module) has bound this while it was in place, and Dynamo comes through it
            return original(self, *args, **kwargs)
        nn.Module.__call__ = original
        search.is_idle = True
        try:
            is_new = self not in seen and torch._C._current_graph_task_id() == -1  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue]  # not computed again in a backward pass
            if is_new and any(True for _ in self.parameters()):
                seen.add(self)
                search.found()
                started.visit(Stage.MODULE, self)
                callbacks.root(self)
            with around(self, *args, **kwargs) if around else nullcontext():
                return original(self, *args, **kwargs)
        finally:
            if around is None:
                search.called()
            if search.is_open:
                search.is_idle = False
                nn.Module.__call__ = call

    search = _RootSearch(started)
    nn.Module.__call__ = call
    try:
        yield
    finally:
        search.is_open, search.is_idle = False, True
        nn.Module.__call__ = original


class _RootSearch:
    """Whether roots are still looked for: until a step has ended and eight calls in a row brought no new one.

    While a root runs, and when the search is over, it is idle.
    """

    def __init__(self, started: StartedPlan) -> None:
        self.is_open = True
        self.is_idle = False
        self._started = started
        self._calls_left = _CALLS_WITHOUT_ROOT

    def found(self) -> None:
        self._calls_left = _CALLS_WITHOUT_ROOT

    def called(self) -> None:
        self._calls_left -= 1
        self.is_open = self.is_open and (self._calls_left > 0 or not self._started.steps)
