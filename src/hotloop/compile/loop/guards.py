"""What must hold before a captured region may run: all Python state in its reach is as it was, and no hook is set."""

from collections import Counter
from collections.abc import Hashable
from operator import attrgetter, is_
from typing import Any

import torch
import torch.optim.optimizer as optimizer_internals
from torch import Tensor
from torch._C._dynamo.guards import TensorGuards
from torch.nn.modules import module as module_internals
from torch.optim import Optimizer
from torch.utils._python_dispatch import is_in_torch_dispatch_mode

from hotloop.compile.guards import GuardedEntries
from hotloop.compile.loop.python_state import Reached
from hotloop.compile.loop.step_counters import counters_of
from hotloop.compile.update import check_optimizer
from hotloop.errors import NotApplicable

_ON_MODULES = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
_ON_ALL_MODULES = tuple(f"_global{name}" for name in _ON_MODULES)
_ON_OPTIMIZERS = ("_optimizer_step_pre_hooks", "_optimizer_step_post_hooks")
_ON_ALL_OPTIMIZERS = ("_global_optimizer_pre_hooks", "_global_optimizer_post_hooks")
_READS_RATES = frozenset({"param_groups", "get_last_lr", "defaults"})
_code, _default = attrgetter("__code__"), attrgetter("__defaults__")
_address = Tensor.data_ptr
_on_gradient, _after_gradient = attrgetter("_backward_hooks"), attrgetter("_post_accumulate_grad_hooks")


class RegionGuards:
    """Guards over what was reached; `tensors` are all tensors that a graph takes, with those of the optimizers."""

    def __init__(self, reached: Reached, names: frozenset[str]) -> None:
        self.optimizers = reached.optimizers
        self.modules = reached.modules
        self._objects, self._plain = reached.objects, reached.plain
        self._lists, self._cells = reached.lists, reached.cells
        self._functions = reached.functions
        self._codes, self._defaults = list(map(_code, self._functions)), list(map(_default, self._functions))
        self._parameters: list[tuple[Any, tuple[Any, ...]]] = []
        self._tables: list[tuple[Optimizer, Any, Any, tuple[int, int]]] = []
        self._of_optimizers, self._options = GuardedEntries(), GuardedEntries()
        found = {id(tensor): tensor for tensor in reached.tensors}
        for optimizer in self.optimizers:
            check_optimizer(optimizer)
            self._guard_optimizer(optimizer, found, with_rates=bool(names & _READS_RATES))
        self.tensors = list(found.values())
        self.leaves = [t for t in self.tensors if t.requires_grad and t.is_leaf]
        if any(t.requires_grad and not t.is_leaf for t in self.tensors):
            raise NotApplicable("it reaches a tensor with a gradient history from outside of the step")
        if any(t.grad is not None for t in self.tensors if t.is_leaf and not t.requires_grad):
            raise NotApplicable("a frozen parameter still holds a gradient")
        self._addresses = list(map(_address, self.tensors))
        # In C++: requires_grad, dtype, and size and strides, since `.data` may be set to another form in place.
        sizes: Any = [list(tensor.shape) for tensor in self.tensors]
        strides: Any = [list(tensor.stride()) for tensor in self.tensors]
        self._forms: Any = TensorGuards(*self.tensors, dynamic_dims_sizes=sizes, dynamic_dims_strides=strides)
        self._types = list(map(type, self._plain.values))
        self._hooks = self._hook_tables()
        self._modes = global_modes()
        self.sharing = list(map(counters_of, self.optimizers))
        if not self._are_free_of_hooks():
            raise NotApplicable("a hook is registered on a module, a parameter or the optimizer")

    def holds(self, modes: tuple[Hashable, ...]) -> bool:
        """Whether nothing has changed; `modes` are torch's now."""
        return (
            self._objects.are_identical()
            and self._plain.are_equal()
            and list(map(type, map(dict.get, self._plain.tables, self._plain.keys))) == self._types
            and self._of_optimizers.are_identical()
            and self._options.are_equal()
            and all(o.state is s and o.param_groups is g and (len(s), len(g)) == n for o, s, g, n in self._tables)
            and all(map(_is_same, self._lists))
            and all(map(_is_same, self._parameters))
            and all(cell.cell_contents is value for cell, value in self._cells)
            and all(map(is_, map(_code, self._functions), self._codes))
            and all(map(is_, map(_default, self._functions), self._defaults))
            and self._forms.check(*self.tensors)
            and list(map(_address, self.tensors)) == self._addresses
            and self._are_free_of_hooks()
            and modes == self._modes
        )

    def swaps(self) -> list[tuple[Any, Any, Tensor]]:
        """Tables, lists and cells that hold a tensor: where a stand-in must be put while tracing."""
        found: list[tuple[Any, Any, Tensor]] = []
        columns = zip(self._objects.tables, self._objects.keys, self._objects.values, strict=True)
        found += [(table, key, value) for table, key, value in columns if isinstance(value, Tensor)]
        for value, items in self._lists:
            for number, item in enumerate(items):
                if isinstance(item, Tensor) and not isinstance(value, dict):
                    if not isinstance(value, list):
                        raise NotApplicable(f"a {type(value).__name__} within its reach holds tensors")
                    found.append((value, number, item))
        if any(isinstance(value, Tensor) for _, value in self._cells):
            raise NotApplicable("a closure within its reach holds a tensor")
        return found

    def check_memory(self, written: set[int]) -> None:
        """Raise NotApplicable where a tensor of these ids, which the graph writes, shares memory with another."""
        counts = Counter(t.untyped_storage().data_ptr() for t in self.tensors if t.numel())
        if any(counts[t.untyped_storage().data_ptr()] > 1 for t in self.tensors if t.numel() and id(t) in written):
            raise NotApplicable("a tensor that is updated in place shares memory with another")

    @property
    def tables(self) -> list[dict[Any, Any]]:
        """The distinct dictionaries with guarded entries, and the attributes of all modules."""
        entries = (self._objects, self._plain)
        found = [t for e in entries for t in e.tables] + [vars(m) for m in self.modules]
        found += [value for value, _ in self.containers if isinstance(value, dict)]
        return list({id(table): table for table in found}.values())

    @property
    def containers(self) -> list[tuple[Any, tuple[Any, ...]]]:
        """Lists, sets and the like, each with its items."""
        return self._lists

    @property
    def cells(self) -> list[tuple[Any, Any]]:
        """Variables of enclosing functions and attributes of classes, each with what it holds."""
        return self._cells

    def _guard_optimizer(self, optimizer: Optimizer, found: dict[int, Tensor], *, with_rates: bool) -> None:
        groups, state = optimizer.param_groups, optimizer.state
        self._tables.append((optimizer, state, groups, (len(state), len(groups))))
        for group in groups:
            self._parameters.append((group["params"], tuple(group["params"])))
            for name, value in group.items():
                if isinstance(value, Tensor):
                    self._of_optimizers.add(group, name)
                    found.setdefault(id(value), value)
                elif name != "params" and (name not in ("lr", "initial_lr") or with_rates):
                    self._options.add(group, name)
            for parameter in group["params"]:
                found.setdefault(id(parameter), parameter)
                if parameter in state:
                    self._of_optimizers.add(state, parameter)
                for name, value in state.get(parameter, {}).items():
                    if isinstance(value, Tensor):
                        self._of_optimizers.add(state[parameter], name)
                        found.setdefault(id(value), value)

    def _hook_tables(self) -> list[dict[Any, Any]]:
        tables: list[Any] = [getattr(module_internals, name) for name in _ON_ALL_MODULES]
        tables += [getattr(optimizer_internals, name) for name in _ON_ALL_OPTIMIZERS]
        tables += [getattr(module, name) for module in self.modules for name in _ON_MODULES]
        tables += [getattr(optimizer, name) for optimizer in self.optimizers for name in _ON_OPTIMIZERS]
        return tables

    def _are_free_of_hooks(self) -> bool:
        """Hooks of hotloop's own are called after a captured step; the program's would not be."""
        return (
            not any(any(map(_is_foreign, table.values())) for table in filter(None, self._hooks))
            and not any(map(_on_gradient, self.leaves))
            and not any(map(_after_gradient, self.leaves))
        )


def own_hooks(optimizer: Optimizer, *, post: bool) -> list[Any]:
    """Hotloop's own hooks at the steps of an optimizer, in the order in which torch calls them."""
    kind = _ON_OPTIMIZERS[post], _ON_ALL_OPTIMIZERS[post]
    tables = [getattr(optimizer, kind[0]), getattr(optimizer_internals, kind[1])]
    return [hook for table in (tables if post else tables[::-1]) for hook in list(table.values())]


def global_modes() -> tuple[Hashable, ...]:
    """Modes of torch that are constant in a graph."""
    return (
        torch.is_grad_enabled(),
        torch.is_inference_mode_enabled(),
        torch.is_autocast_enabled("cpu"),
        torch.is_autocast_enabled("cuda"),
        torch.is_anomaly_enabled(),
        torch.get_default_dtype(),
        torch.are_deterministic_algorithms_enabled(),
        is_in_torch_dispatch_mode(),
        torch.overrides._get_current_function_mode_stack() == [],  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue]
    )


def is_usual(modes: tuple[Hashable, ...]) -> bool:
    """Gradients on; no inference, no anomaly detection, no modes that look at each operation."""
    return bool(modes[0]) and not (modes[1] or modes[4] or modes[6] or modes[7]) and bool(modes[8])


def _is_same(pair: tuple[Any, tuple[Any, ...]]) -> bool:
    value, items = pair
    return len(value) == len(items) and all(map(_is_or_equals, value, items))


def _is_or_equals(now: Any, then: Any) -> bool:
    return now is then or (type(now) is type(then) and isinstance(now, (int, float, str)) and now == then)


def _is_foreign(hook: Any) -> bool:
    return not str(getattr(hook, "__module__", "")).startswith("hotloop.")
