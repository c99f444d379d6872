"""The places where an unmodified training program is met: the ends of its steps, its losses, and the sites of a plan.

Everything is installed on torch's own classes before the program starts and removed after it. A plan without
transforms of a stage installs nothing for that stage, so that an untouched program pays only for the step hook.
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

from hotloop.errors import NotApplicable
from hotloop.transform import OptimizerSite, Plan, Stage, Transform

_LEADER_PATIENCE = 64
_CALLS_OF_DISCOVERY = 8


class Events(Protocol):
    """Who listens: a turn-taking clock, an observer, a guard."""

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


class Sites:
    """Applies a plan where the program shows its parts, and remembers what each transform did or why it did not."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.applied: dict[str, int] = {transform.name: 0 for transform in plan.transforms}
        self.refused: dict[str, str] = {}
        self.steps = 0

    def apply(self, transform: Transform, site: Any) -> None:
        """One transform at one site; a refusal is remembered, any other error is the program's and propagates."""
        try:
            transform.apply(site)
        except NotApplicable as reason:
            self.refused.setdefault(transform.name, str(reason))
        else:
            self.applied[transform.name] += 1

    def visit(self, stage: Stage, site: Any) -> None:
        """All transforms of a stage at one site, in plan order."""
        for transform in self.plan.at(stage):
            self.apply(transform, site)


Around = Callable[[], AbstractContextManager[None]]


@contextmanager
def hooked(sites: Sites, events: Events, *, around_roots: Around | None = None) -> Generator[None]:
    """torch with the sites that the plan needs, and the roots that `events` wants to know.

    `around_roots` makes a context for each call of a root module, for as long as the program runs; without it the
    search for roots ends after a step and eight calls that brought no new one, and costs nothing from then on.
    """
    with ExitStack() as stack:
        stack.enter_context(_construction(sites, events))
        stack.enter_context(_roots(sites, events, around_roots))
        if sites.plan.at(Stage.DATA):
            stack.enter_context(_loaders(sites))
        yield


@contextmanager
def steps_seen(sites: Sites, events: Events) -> Generator[None]:
    """torch with hooks at the end of each step and at each backward pass: how a script's own loop is followed."""
    handle = register_optimizer_step_post_hook(_leading(sites, events))
    try:
        with _backward(events):
            yield
    finally:
        handle.remove()


def _leading(sites: Sites, events: Events) -> Callable[..., None]:
    """A post-step hook that ends a step only for the leading optimizer: the first that stepped.

    With several optimizers (GAN) one of them must count. A leader that has not stepped while others made
    64 steps has been replaced by the program (a new phase), and the one that steps then leads.
    """
    leader: weakref.ref[Optimizer] | None = None
    patience = _LEADER_PATIENCE

    def after_step(optimizer: Optimizer, _args: Any, _kwargs: Any) -> None:
        nonlocal leader, patience
        current = leader() if leader is not None else None
        if current is not optimizer:
            patience -= 1
            if current is not None and patience > 0:
                return
            leader = weakref.ref(optimizer)
        patience = _LEADER_PATIENCE
        sites.steps += 1
        events.step(optimizer)

    after_step._torchdynamo_disable = True  # pyright: ignore[reportFunctionMemberAccess]  # a compiled optimizer.step must not trace it
    return after_step


@contextmanager
def _backward(events: Events) -> Generator[None]:
    """`Tensor.backward` looks up `torch.autograd.backward` at each call, so that one patch sees both."""
    original = torch.autograd.backward

    def backward(tensors: Any, *args: Any, **kwargs: Any) -> None:
        value = tensors if isinstance(tensors, Tensor) else next(iter(tensors), None)
        if value is not None:
            events.loss(value.detach())
        original(tensors, *args, **kwargs)

    backward._torchdynamo_disable = True  # pyright: ignore[reportFunctionMemberAccess]
    with _patched(torch.autograd, "backward", backward):
        yield


@contextmanager
def _construction(sites: Sites, events: Events) -> Generator[None]:
    original = Optimizer.__init__
    transforms = sites.plan.at(Stage.OPTIMIZER)

    def init(self: Optimizer, params: Any, defaults: dict[str, Any]) -> None:
        events.before_training()
        site = OptimizerSite(kind=type(self), defaults=defaults)
        for transform in transforms:
            sites.apply(transform, site)
        original(self, params, defaults)
        if transforms:
            self.register_load_state_dict_post_hook(lambda optimizer: _keep(optimizer, site.defaults))

    with _patched(Optimizer, "__init__", init):
        yield


def _keep(optimizer: Optimizer, defaults: dict[str, Any]) -> None:
    """A checkpoint of the plain run carries the plain implementation's flags: put the plan's back."""
    for group in optimizer.param_groups:
        group.update({key: defaults[key] for key in ("fused", "foreach") if key in group})


@contextmanager
def _loaders(sites: Sites) -> Generator[None]:
    original = DataLoader.__init__
    signature = inspect.signature(original)

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        given = signature.bind(self, *args, **kwargs).arguments
        given.pop("self")
        sites.visit(Stage.DATA, given)
        original(self, **given)

    with _patched(DataLoader, "__init__", init):
        yield


@contextmanager
def _roots(sites: Sites, events: Events, around: Around | None) -> Generator[None]:
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
            if self not in seen and any(True for _ in self.parameters()):
                seen.add(self)
                search.found()
                sites.visit(Stage.MODULE, self)
                events.root(self)
            with around() if around else nullcontext():
                return original(self, *args, **kwargs)
        finally:
            if around is None:
                search.called()
            if search.is_open:
                search.is_idle = False
                nn.Module.__call__ = call

    search = _Discovery(sites)
    nn.Module.__call__ = call
    try:
        yield
    finally:
        search.is_open, search.is_idle = False, True
        nn.Module.__call__ = original


class _Discovery:
    """Whether roots are still looked for: until a step has ended and eight calls in a row brought no new one.

    While a root runs, and when the search is over, it is idle.
    """

    def __init__(self, sites: Sites) -> None:
        self.is_open = True
        self.is_idle = False
        self._sites = sites
        self._left = _CALLS_OF_DISCOVERY

    def found(self) -> None:
        self._left = _CALLS_OF_DISCOVERY

    def called(self) -> None:
        self._left -= 1
        self.is_open = self.is_open and (self._left > 0 or not self._sites.steps)


@contextmanager
def _patched(owner: Any, name: str, replacement: Any) -> Generator[None]:
    original = getattr(owner, name)
    setattr(owner, name, replacement)
    try:
        yield
    finally:
        setattr(owner, name, original)
