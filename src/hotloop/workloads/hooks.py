"""Hooks in torch, by which an unmodified training program is followed and changed: steps, losses, and sites of a plan.

Everything is installed on torch's own classes before the program starts and removed after it. What is installed where
optimizers and loaders are built costs nothing in a step, so that an untouched program pays only for the step hook.
"""

import inspect
import weakref
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.optimizer import Optimizer, register_optimizer_step_post_hook
from torch.utils.data import DataLoader

from hotloop.compile.loop.listeners import listeners
from hotloop.transform import DDPSite, OptimizerSite, Stage
from hotloop.workloads.patched import patched
from hotloop.workloads.roots import meet_at_first_call, roots_met
from hotloop.workloads.started_plan import StartedPlan
from hotloop.workloads.updates_by_hand import UpdatesByHand

_STEPS_WITHOUT_LEADING = 64


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

    `around_roots` makes a context for each call of a root module, for as long as the program runs.
    """
    with ExitStack() as stack:
        stack.enter_context(_optimizers_built(started, callbacks))
        stack.enter_context(_roots_called(started, callbacks, around_roots))
        stack.enter_context(_loaders_built(started))
        stack.enter_context(_models_wrapped(started))
        yield


@contextmanager
def steps_seen(started: StartedPlan, callbacks: Callbacks, *, around_roots: Around | None = None) -> Generator[None]:
    """torch with hooks at the end of each step and at each backward pass: how a script's own loop is followed.

    Steps that run as captured graphs tell the same.
    """
    handle = register_optimizer_step_post_hook(_leading_step_hook(started, callbacks))
    by_hand = UpdatesByHand(started, callbacks)
    try:
        with _backward_seen(by_hand.loss), by_hand.seen(), listeners.told(by_hand.loss, around_roots):
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
        plain = dict(defaults)
        params = list(params) if isinstance(params, Iterator) else params  # what is looked at must not be used up
        site = OptimizerSite(kind=type(self), defaults=defaults, parameters=tuple(_held(params)))
        started.visit(Stage.OPTIMIZER, site)
        original(self, params, defaults)
        if is_changed:
            self.register_load_state_dict_post_hook(lambda optimizer: _restore_flags(optimizer, defaults))
            self.register_state_dict_post_hook(lambda _, state: _show_plain(state, plain))

    with patched(Optimizer, "__init__", init):
        yield


def _held(params: Any) -> Iterator[Any]:
    """The tensors in what an optimizer is built with: tensors, named ones, or groups of them."""
    for one in params if isinstance(params, Iterable) and not isinstance(params, Tensor) else ():
        if isinstance(one, dict):
            held = one.get("params")
            yield from (held,) if isinstance(held, Tensor) else _held(held) if isinstance(held, (list, tuple)) else ()
        else:
            yield one[1] if isinstance(one, tuple) and len(one) == 2 else one


def _restore_flags(optimizer: Optimizer, defaults: dict[str, Any]) -> None:
    """A checkpoint of the plain run carries the plain implementation's flags: put the plan's back."""
    for group in optimizer.param_groups:
        group.update({key: defaults[key] for key in ("fused", "foreach") if key in group})


def _show_plain(state_dict: dict[str, Any], plain: dict[str, Any]) -> None:
    """Save what the plain program would save: its flags, and counts of steps where it keeps them."""
    for group in state_dict["param_groups"]:
        group.update({key: plain[key] for key in ("fused", "foreach") if key in group and key in plain})
    if plain.get("fused") or plain.get("capturable"):
        return
    for key, state in state_dict["state"].items():
        step = state.get("step") if isinstance(state, dict) else None
        if isinstance(step, Tensor) and step.device.type != "cpu":
            state_dict["state"][key] = {**state, "step": step.cpu()}


@contextmanager
def _loaders_built(started: StartedPlan) -> Generator[None]:
    original = DataLoader.__init__
    signature = inspect.signature(original)

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        given = signature.bind(self, *args, **kwargs).arguments
        given.pop("self")
        started.visit(Stage.DATA, given)
        original(self, **given)
        by_thread = getattr(self.num_workers, "batches_ahead", 0)
        ahead = self.num_workers * (self.prefetch_factor or 0) + by_thread
        started.prefetched_steps = max(started.prefetched_steps, ahead)

    with patched(DataLoader, "__init__", init):
        yield


@contextmanager
def _models_wrapped(started: StartedPlan) -> Generator[None]:
    original = DistributedDataParallel.__init__
    signature = inspect.signature(original)

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        given = signature.bind(self, *args, **kwargs).arguments
        given.pop("self")
        site = DDPSite(arguments=given, num_ranks=_num_ranks(given.get("process_group")))
        started.visit(Stage.DDP, site)
        original(self, **given)
        for act in site.after:
            act(self)

    with patched(DistributedDataParallel, "__init__", init):
        yield


def _num_ranks(group: Any) -> int:
    is_ready = torch.distributed.is_available() and torch.distributed.is_initialized()
    return torch.distributed.get_world_size(group) if is_ready else 1  # where it is not, DDP says what is missing


@contextmanager
def _roots_called(started: StartedPlan, callbacks: Callbacks, around: Around | None) -> Generator[None]:
    def meet(module: nn.Module) -> None:
        started.visit(Stage.MODULE, module)
        callbacks.root(module)

    with roots_met(meet), _calls_of_roots(around) if around is not None else nullcontext():
        yield


@contextmanager
def _calls_of_roots(around: Around) -> Generator[None]:
    """Puts a context around each outermost call of a module.

    `nn.Module.__call__` is put back while one runs: children cost nothing extra, and Dynamo sees the class it knows.
    Each call costs about half a millisecond, since torch's hundreds of module classes must forget what they cached.
    """
    original = nn.Module.__call__
    is_idle, is_open = False, True

    def call(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        nonlocal is_idle
        if is_idle:  # torch.compile(module) has bound this while it was in place, and Dynamo comes through it
            return original(self, *args, **kwargs)
        nn.Module.__call__ = original
        is_idle = True
        try:
            meet_at_first_call(self, None)
            with around(self, *args, **kwargs):
                return original(self, *args, **kwargs)
        finally:
            if is_open:
                is_idle = False
                nn.Module.__call__ = call

    nn.Module.__call__ = call
    try:
        yield
    finally:
        is_open, is_idle = False, True
        nn.Module.__call__ = original
