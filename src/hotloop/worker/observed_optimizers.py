"""Follows every optimizer that steps, at its own steps: gradients, updates and settings of the tensors it holds."""

import functools
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import (
    Optimizer,
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

from hotloop.worker.observed_errors import Fail, contained
from hotloop.worker.observed_settings import SettingsLog, group_settings
from hotloop.worker.observed_tensors import (
    NO_GRADIENT,
    KnownTensors,
    can_be_followed,
    norm,
    share_not_zero,
    share_short,
    sketch,
)


class ObservedOptimizers:
    """All optimizers of a program, in the order of their first steps.

    Tensors are looked at in the steps that are due, and sketched in those among them that are `sketched`. `name_of`
    names a tensor by the module that holds it, or answers None. `before_any_step` is called where the first step of an
    optimizer begins.
    """

    def __init__(
        self,
        sketched: frozenset[int],
        settings: SettingsLog,
        *,
        is_due: Callable[[int], bool],
        name_of: Callable[[Tensor], str | None],
        before_any_step: Callable[[Optimizer], None],
    ) -> None:
        self.built: weakref.WeakSet[Optimizer] = weakref.WeakSet()
        self._sketched = sketched
        self._is_due = is_due
        self._settings = settings
        self._name_of = name_of
        self._before_any_step = before_any_step
        self._all: list[_OptimizerRecord] = []
        self._records: weakref.WeakKeyDictionary[Optimizer, _OptimizerRecord] = weakref.WeakKeyDictionary()

    def tensors(self) -> Iterator[Tensor]:
        """What the optimizers that live now hold."""
        for optimizer in list(self.built):
            yield from tensors_of(optimizer)

    def keep_values(self) -> None:
        """Keep the values of all tensors: for steps that call no hook, of which only the end is seen."""
        for optimizer in list(self.built):
            record = self._record(optimizer)
            record.forget_values()
            record.begin(optimizer)

    def before(self, optimizer: Optimizer) -> None:
        """A step begins, after all other hooks that may change a gradient."""
        record = self._record(optimizer)
        record.begin(optimizer)
        record.read_gradients(optimizer)

    def computed(self, optimizer: Optimizer) -> None:
        """The closure of a step has computed gradients, which the rest of the step may change in place."""
        self._record(optimizer).read_gradients(optimizer)

    def after(self, optimizer: Optimizer, *, has_begun: bool = True) -> None:
        """A step has ended; of one that was not seen to begin the gradients are read now."""
        record = self._record(optimizer)
        if not (has_begun and record.has_gradients):
            record.read_gradients(optimizer)
        record.end(optimizer)
        self._settings.add(record.steps, group_settings(record.title, optimizer))

    def steps_of(self, optimizer: Optimizer) -> int:
        """How many steps of this optimizer were recorded."""
        return self._record(optimizer).steps

    def living(self) -> Iterator[tuple[str, Optimizer]]:
        """Those that have stepped and still live, by title, in the order of their first steps."""
        optimizers = {record.title: optimizer for optimizer, record in self._records.items() if record.steps}
        return ((record.title, optimizers[record.title]) for record in self._all if record.title in optimizers)

    def to_data(self) -> list[dict[str, Any]]:
        """What was seen, by optimizer."""
        return [record.to_data() for record in self._all if record.steps]

    def _record(self, optimizer: Optimizer) -> "_OptimizerRecord":
        record = self._records.get(optimizer)
        if record is None:
            self._before_any_step(optimizer)
            record = _OptimizerRecord(f"optimizer {len(self._all)}", self._sketched, self._is_due, self._name_of)
            self._records[optimizer] = record
            self._all.append(record)
            weakref.finalize(optimizer, record.forget_tensors)
        return record


class _OptimizerRecord:
    """One optimizer, step by step; the values of its tensors are kept from the end of one step to that of the next."""

    def __init__(
        self,
        title: str,
        sketched: frozenset[int],
        is_due: Callable[[int], bool],
        name_of: Callable[[Tensor], str | None],
    ) -> None:
        self.title = title
        self.steps = 0
        self._sketched = sketched
        self._is_due = is_due
        self._recorded: list[int] = []
        self._name_of = name_of
        self._names: list[str] = []
        self._known = KnownTensors()
        self._positions: dict[int, int] = {}
        self._before: dict[int, Tensor] = {}
        self._gradients: list[list[float]] = []
        self._updates: list[list[float]] = []
        self._moved: list[float] = []
        self._short: dict[int, list[float]] = {}
        self._gradient_sketches: dict[int, list[list[float]]] = {}
        self._update_sketches: dict[int, list[list[float]]] = {}

    @property
    def has_gradients(self) -> bool:
        """Whether the gradients of the step under way have been read, and there were any."""
        return len(self._gradients) > len(self._updates) and any(size != NO_GRADIENT for size in self._gradients[-1])

    def begin(self, optimizer: Optimizer) -> None:
        for group, index, tensor in _held(optimizer):
            if tensor not in self._known:
                self._known.add(tensor)
                self._positions[id(tensor)] = len(self._names)
                self._names.append(self._name(group, index, tensor))
                self._before.pop(id(tensor), None)
            if id(tensor) not in self._before:
                self._before[id(tensor)] = tensor.detach().clone()

    def _name(self, group: int, index: int, tensor: Tensor) -> str:
        return self._name_of(tensor) or f"{self.title}, group {group}, tensor {index}"

    def read_gradients(self, optimizer: Optimizer) -> None:
        if not self._is_due(self.steps + 1):
            return
        scale = getattr(optimizer, "grad_scale", None)  # of a GradScaler that leaves the division to a fused kernel
        found: list[Tensor | None] = [None] * len(self._names)
        for _, _, tensor in _held(optimizer):
            if id(tensor) in self._positions and tensor.grad is not None:
                found[self._positions[id(tensor)]] = tensor.grad if scale is None else tensor.grad / scale
        del self._gradients[len(self._updates) :]
        self._gradients.append([norm(gradient) for gradient in found])
        if self.steps + 1 in self._sketched:
            self._gradient_sketches[self.steps + 1] = [sketch(g, str(n)) for n, g in enumerate(found)]
            self._short[self.steps + 1] = [share_short(gradient) for gradient in found]

    def end(self, optimizer: Optimizer) -> None:
        self.begin(optimizer)  # what the step itself has added
        self.steps += 1
        if not (self._is_due(self.steps) or self._is_due(self.steps + 1)):
            return
        updates: list[Tensor | None] = [None] * len(self._names)
        for group, index, tensor in _held(optimizer):
            self._names[self._positions[id(tensor)]] = self._name(group, index, tensor)  # a root may be known only now
            updates[self._positions[id(tensor)]] = tensor.detach() - self._before[id(tensor)]
            self._before[id(tensor)] = tensor.detach().clone()
        if self._is_due(self.steps):
            self._keep(updates)

    def _keep(self, updates: list[Tensor | None]) -> None:
        self._recorded.append(self.steps)
        self._updates.append([max(norm(update), 0.0) for update in updates])
        self._moved.append(share_not_zero([update for update in updates if update is not None]))
        if self.steps in self._sketched:
            self._update_sketches[self.steps] = [sketch(u, str(n)) for n, u in enumerate(updates)]

    def forget_values(self) -> None:
        self._before.clear()

    def forget_tensors(self) -> None:
        self._known.clear()
        self._positions.clear()
        self._before.clear()

    def to_data(self) -> dict[str, Any]:
        return {
            "names": self._names,
            "steps": self.steps,
            "recorded": self._recorded,
            "gradients": self._gradients[: len(self._updates)],
            "updates": self._updates,
            "moved": self._moved,
            "short": list(self._short.items()),
            "gradient_sketches": list(self._gradient_sketches.items()),
            "update_sketches": list(self._update_sketches.items()),
        }


def hook_steps(observed: ObservedOptimizers, fail: Fail) -> None:
    """Have every step of every optimizer of this process recorded.

    The gradients are read by a hook of the optimizer's own, which is kept behind all others that it has.
    """

    def keep_last(optimizer: Optimizer, _args: Any, _kwargs: Any) -> None:
        hooks = vars(optimizer)["_optimizer_step_pre_hooks"]
        ours = next((number for number, hook in hooks.items() if hook is read), None)
        hooks.move_to_end(optimizer.register_step_pre_hook(read).id if ours is None else ours)

    def read(optimizer: Optimizer, args: Any, kwargs: Any) -> Any:
        contained(observed.before, fail)(optimizer)
        if not any(map(callable, (*args[1:], *kwargs.values()))):
            return None

        def seen(value: Any) -> Any:
            return reading(value, optimizer) if callable(value) else value

        return (args[0], *map(seen, args[1:])), {name: seen(value) for name, value in kwargs.items()}

    def reading(closure: Callable[..., Any], optimizer: Optimizer) -> Callable[..., Any]:
        @functools.wraps(closure)
        def call(*args: Any, **kwargs: Any) -> Any:
            loss = closure(*args, **kwargs)
            contained(observed.computed, fail)(optimizer)
            return loss

        return call

    def finish(optimizer: Optimizer, _args: Any, _kwargs: Any) -> None:
        contained(observed.after, fail)(optimizer)

    for hook in (keep_last, read, finish):
        hook._torchdynamo_disable = True  # pyright: ignore[reportFunctionMemberAccess]  # a compiled optimizer.step must not trace it
    register_optimizer_step_pre_hook(keep_last)
    register_optimizer_step_post_hook(finish)


def notice_built(built: Callable[[Optimizer], None]) -> None:
    """Call `built` with every optimizer that this process builds, once it has its groups."""
    original = Optimizer.__init__

    def init(self: Optimizer, params: Any, defaults: dict[str, Any]) -> None:
        original(self, params, defaults)
        built(self)

    Optimizer.__init__ = init


def tensors_of(optimizer: Optimizer) -> Iterator[Tensor]:
    """What it holds and can be followed."""
    return (tensor for _, _, tensor in _held(optimizer))


def _held(optimizer: Optimizer) -> Iterator[tuple[int, int, Tensor]]:
    """Group, number in the group, and each tensor that can be followed."""
    for number, group in enumerate(optimizer.param_groups):
        for index, tensor in enumerate(group["params"]):
            if isinstance(tensor, torch.Tensor) and can_be_followed(tensor):
                yield number, index, tensor
