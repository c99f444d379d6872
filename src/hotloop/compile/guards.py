"""Guards of a captured step: the tensors it uses, every Python value constant in its graph, and tables of hooks."""

from collections import Counter
from collections.abc import Hashable, Iterator, Sized
from dataclasses import dataclass, field
from operator import attrgetter, is_
from typing import Any

import torch
import torch.optim.optimizer as optimizer_internals
from torch import Tensor, nn
from torch.nn.modules import module as module_internals
from torch.optim import Optimizer

from hotloop.compile.root_call import InsteadOfCall
from hotloop.errors import NotApplicable
from hotloop.workload import Job

_PLAIN = frozenset({bool, int, float, str, type(None), torch.dtype})
_OWN_TABLES = frozenset(vars(nn.Module())) - {"training"}
_trainable = attrgetter("requires_grad")
_address = Tensor.data_ptr
_grads_are_on, _casts_are_on = torch.is_grad_enabled, torch.is_autocast_enabled
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


@dataclass(kw_only=True)
class GuardedEntries:
    """Entries of dictionaries and what they held at capture, as columns, so that C loops can compare them."""

    tables: list[dict[Any, Any]] = field(default_factory=list[dict[Any, Any]])
    keys: list[Any] = field(default_factory=list[Any])
    values: list[Any] = field(default_factory=list[Any])

    def add(self, table: dict[Any, Any], key: Any) -> None:
        """Remember what `table` holds under `key`."""
        self.tables.append(table)
        self.keys.append(key)
        self.values.append(table[key])

    def are_identical(self) -> bool:
        """Whether each entry still holds the very same object."""
        return all(map(is_, map(dict.get, self.tables, self.keys), self.values))

    def are_equal(self) -> bool:
        """Whether each entry still compares equal; only for plain values."""
        return list(map(dict.get, self.tables, self.keys)) == self.values


class CaptureGuards:
    """What a captured step of `job` rests on, as it is now.

    `tensors` are the distinct tensors that a captured step takes as inputs, in a fixed order: parameters, buffers,
    optimizer state, tensor attributes. `fingerprint` is equal for two states of a job that one graph serves.
    Raises NotApplicable where a captured step would differ from an eager one: hooks, shared memory, strange parameters.
    """

    def __init__(self, job: Job) -> None:
        self.optimizer: Optimizer = job.optimizer
        self.modules = list(_modules(job))
        self.trained: list[Tensor] = [p for group in job.optimizer.param_groups for p in group["params"]]
        self.objects, self.plain, self._states = GuardedEntries(), GuardedEntries(), GuardedEntries()
        self._job, self._clip_norm = job, job.clip_norm
        self._groups, self._state = job.optimizer.param_groups, job.optimizer.state
        self._num_groups = len(self._groups)
        self._guard_modules()
        self._guard_attributes(getattr(job.strategy, "__dict__", {}), skip=frozenset())
        self._guard_optimizer()
        self.tensors = _distinct(self.objects.values)
        self._parameters = _distinct([p for module in self.modules for p in module.parameters(recurse=False)])
        self._trainable = [p.requires_grad for p in self._parameters]
        # model.to() and .data keep the object and change what is in it; optimizer state is always replaced whole.
        buffers = [buffer for module in self.modules for buffer in module.buffers(recurse=False)]
        self._movable = _distinct([*self._parameters, *buffers])
        self._addresses = [tensor.data_ptr() for tensor in self._movable]
        self._hooks = _hook_tables(self.modules, job.optimizer)
        self._global_modes = _global_modes()
        self._check_capturable()
        self.step_sharing = step_sharing([self._state[p] for p in self.trained if p in self._state])
        self.fingerprint = self._take_fingerprint()

    def holds(self) -> bool:
        """Whether nothing that is guarded has changed since; cheap enough to ask before each step."""
        return (
            self.optimizer.state is self._state
            and self.optimizer.param_groups is self._groups
            and len(self._groups) == self._num_groups
            and self._job.clip_norm == self._clip_norm
            and self.objects.are_identical()
            and self._states.are_identical()
            and self.plain.are_equal()
            and list(map(_trainable, self._parameters)) == self._trainable
            and list(map(_address, self._movable)) == self._addresses
            and not any(self._hooks)
            and _global_modes() == self._global_modes
        )

    def _guard_modules(self) -> None:
        for module in self.modules:
            for table in (module._parameters, module._buffers):  # pyright: ignore[reportPrivateUsage]
                for name in table:
                    self.objects.add(table, name)
            self._guard_attributes(vars(module), skip=_OWN_TABLES)

    def _guard_attributes(self, table: dict[str, Any], *, skip: frozenset[str]) -> None:
        for name, value in table.items():
            if name in skip or isinstance(value, InsteadOfCall):  # a plan's, which comes and goes with the first call
                continue
            if type(value) in _PLAIN:
                self.plain.add(table, name)
            elif isinstance(value, Tensor) or callable(value):
                self.objects.add(table, name)

    def _guard_optimizer(self) -> None:
        for group in self._groups:
            for name, value in group.items():
                if isinstance(value, Tensor):
                    self.objects.add(group, name)
                elif name not in ("params", "lr"):
                    self.plain.add(group, name)
        for parameter in self.trained:
            state: dict[Any, Any] = self._state.get(parameter, {})
            if state:
                self._states.add(self._state, parameter)
            for name, value in state.items():
                if isinstance(value, Tensor):
                    self.objects.add(state, name)

    def _check_capturable(self) -> None:
        if any(self._hooks):
            raise NotApplicable(
                "a hook is registered on a module, a parameter or the optimizer, and a captured step would not call "
                "it; remove the hooks, or drop 'whole_step'"
            )
        known = set(map(id, self._parameters))
        if any(id(p) not in known for p in self.trained):
            raise NotApplicable(
                "the optimizer trains a tensor that is no parameter of the model or of the strategy's modules; "
                "register it as nn.Parameter in a module, or drop 'whole_step'"
            )
        updated = {id(p) for p in self.trained} | {id(s) for p in self.trained for s in self._state.get(p, {}).values()}
        counts = Counter(tensor.untyped_storage().data_ptr() for tensor in self.tensors if tensor.numel())
        if any(counts[t.untyped_storage().data_ptr()] > 1 for t in self.tensors if t.numel() and id(t) in updated):
            raise NotApplicable(
                "a parameter or its optimizer state shares memory with another tensor, which one graph cannot update "
                "in place; share the parameter itself instead of a view of it, or drop 'whole_step'"
            )

    def _take_fingerprint(self) -> Hashable:
        order = {id(tensor): index for index, tensor in enumerate(self.tensors)}
        return (
            tuple((t.shape, t.stride(), t.dtype, t.device) for t in self.tensors),
            tuple(order.get(id(value), id(value)) for value in self.objects.values),
            tuple((name, type(value), value) for name, value in zip(self.plain.keys, self.plain.values, strict=True)),
            tuple(self._trainable),
            tuple(len(group["params"]) for group in self._groups),
            self._clip_norm,
            self._global_modes,
            self.step_sharing,
        )


def _modules(job: Job) -> Iterator[nn.Module]:
    owned = (value for value in getattr(job.strategy, "__dict__", {}).values() if isinstance(value, nn.Module))
    seen: set[int] = set()
    for root in (job.model, *owned):
        for module in root.modules():
            if id(module) not in seen:
                seen.add(id(module))
                yield module


def _distinct(values: list[Any]) -> list[Tensor]:
    return list({id(value): value for value in values if isinstance(value, Tensor)}.values())


class _ParameterHooks:
    """True while any of the parameters has a hook; their tables are made only when the first hook is registered."""

    def __init__(self, parameters: list[Any]) -> None:
        self._parameters = parameters

    def __bool__(self) -> bool:
        return any(map(_on_gradient, self._parameters)) or any(map(_after_gradient, self._parameters))


def _hook_tables(modules: list[nn.Module], optimizer: Optimizer) -> list[Sized | _ParameterHooks]:
    """The live tables: one is true while a hook is in it."""
    tables: list[Any] = [getattr(module_internals, name) for name in _ON_ALL_MODULES]
    tables += [getattr(optimizer_internals, name) for name in _ON_ALL_OPTIMIZERS]
    tables += [getattr(module, name) for module in modules for name in _ON_MODULES]
    tables += [getattr(optimizer, name) for name in _ON_OPTIMIZERS]
    parameters = _distinct([p for module in modules for p in module.parameters(recurse=False)])
    return [*tables, _ParameterHooks(parameters)]


def step_sharing(states: list[dict[str, Any]]) -> tuple[int, ...]:
    """For each step counter in the optimizer's state, the index of the first that has the same value; read once."""
    steps = [state["step"] for state in states if isinstance(state.get("step"), Tensor)]
    if not steps:
        return ()
    counts: list[float] = torch.stack([step.detach().double().cpu() for step in steps]).tolist()
    return tuple(counts.index(count) for count in counts)


def _global_modes() -> tuple[Hashable, ...]:
    return _grads_are_on(), _casts_are_on("cpu"), _casts_are_on("cuda")
