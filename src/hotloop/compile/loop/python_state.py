"""The Python state that a region depends on: every value that its graph holds as a constant, and every tensor.

From what the region is given, from the globals and closures of the functions that it calls, and from the attributes
that these name, all is followed and guarded. What cannot be followed is refused by name.
"""

import enum
import functools
import os
import types
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from hotloop.compile.guards import GuardedEntries
from hotloop.compile.loop.executed import Executed, is_library
from hotloop.compile.root_call import InsteadOfCall
from hotloop.errors import NotApplicable

_PLAIN = (bool, int, float, complex, str, bytes, type(None), torch.dtype, torch.device, torch.Size, torch.layout)
_MOST = 20_000
_LONGEST = 4096
_OWN_TABLES = frozenset(vars(nn.Module())) - {"training"}
_ALL_ATTRIBUTES = frozenset({"__dict__", "__getstate__", "_asdict"})
_SEQUENCES = (list, tuple, deque, set, frozenset)
_UNGUARDED = (torch.Generator, np.ndarray, types.GeneratorType, type(os.environ))
_SKIPPED_MODULES = (
    "logging",
    "re",
    "pathlib",
    "typing",
    "abc",
    "warnings",
    "functools",
    "enum",
    "inspect",
    "contextlib",
)


def is_plain(value: Any) -> bool:
    """Whether a value compares by what it is, and cannot be changed."""
    return isinstance(value, (*_PLAIN, np.generic, enum.Enum))


class Reached:
    """What was found: guarded entries of tables, lists as they were, modules, optimizers and tensors."""

    def __init__(self, executed: Executed, names: frozenset[str]) -> None:
        self.objects, self.plain = GuardedEntries(), GuardedEntries()
        self.lists: list[tuple[Any, tuple[Any, ...]]] = []
        self.cells: list[tuple[Any, Any]] = []
        self.functions: list[FunctionType] = []
        self.modules: list[nn.Module] = []
        self.optimizers: list[Optimizer] = []
        self._tensors: dict[int, Tensor] = {}
        self._seen: dict[int, Any] = {}
        self._codes = executed.codes
        self._followed: set[CodeType] = set()
        self._names, self._asked = names, executed.asked_names()
        self._takes_all = bool(names & _ALL_ATTRIBUTES)

    @property
    def tensors(self) -> list[Tensor]:
        """All distinct tensors, in the order in which they were met."""
        return list(self._tensors.values())

    def entry(self, table: dict[Any, Any], key: Any, where: str) -> None:
        """Guard an entry of a table, and follow what it holds."""
        value = table[key]
        (self.plain if is_plain(value) else self.objects).add(table, key)
        self.value(value, where)

    def value(self, value: Any, where: str) -> None:
        """Follow a value. Raises NotApplicable where it cannot be guarded."""
        if is_plain(value) or id(value) in self._seen:
            return
        if len(self._seen) > _MOST:
            raise NotApplicable(f"more than {_MOST} Python objects are within its reach, too many to guard")
        self._seen[id(value)] = value
        self._follow(value, where)

    def check_closures(self) -> None:
        """Raise NotApplicable where a function with a closure was called that was not met here."""
        nested = {c for code in self._codes for c in code.co_consts if isinstance(c, CodeType)}
        for code in self._codes:
            if set(code.co_freevars) - {"__class__"} and code not in self._followed and code not in nested:
                raise NotApplicable(
                    f"{code.co_qualname} (line {code.co_firstlineno}) is a closure that is not followed"
                )

    def _follow(self, value: Any, where: str) -> None:
        for kinds, follow in _FOLLOWERS:
            if isinstance(value, kinds):
                follow(self, value, where)
                return
        if callable(value) and not hasattr(value, "__dict__"):
            return  # a function written in C
        if type(value).__module__.partition(".")[0] in _SKIPPED_MODULES:
            return
        if isinstance(value, _UNGUARDED) or not hasattr(value, "__dict__"):
            raise NotApplicable(f"{where} is a {type(value).__qualname__}, whose state cannot be guarded")
        self._object(value, where)

    def _tensor(self, value: Tensor, where: str) -> None:
        if type(value) not in (Tensor, nn.Parameter, nn.Buffer) and not isinstance(value, nn.Parameter):
            raise NotApplicable(f"{where} is a {type(value).__qualname__}, not a plain tensor")
        if value.is_sparse or value.is_quantized or nn.parameter.is_lazy(value):
            raise NotApplicable(f"{where} is a sparse, quantized or lazy tensor")
        self._tensors[id(value)] = value

    def _module(self, value: nn.Module, where: str) -> None:
        place = type(value).__module__
        is_odd = isinstance(value, torch.jit.ScriptModule) or place.startswith(
            ("torch._dynamo", "torch.nn.parallel", "torch.distributed", "torch.fx")
        )
        own = value.__dict__.get("_compiled_call_impl")
        is_compiled = own is not None and (not isinstance(own, InsteadOfCall) or own.compiled is not None)
        if is_odd or is_compiled:
            raise NotApplicable(f"{where} is a {type(value).__qualname__} that is compiled, scripted or distributed")
        self.modules.append(value)
        for table in (vars(value)[name] for name in ("_parameters", "_buffers", "_modules")):
            for name in table:
                self.entry(table, name, f"{where}.{name}")
        for name, attribute in list(vars(value).items()):
            if name in _OWN_TABLES or isinstance(attribute, InsteadOfCall):
                continue
            if (
                is_plain(attribute)
                or isinstance(attribute, Tensor)
                or callable(attribute)
                or self._is_named(name, value)
            ):
                self.entry(vars(value), name, f"{where}.{name}")
        kind = type(value)
        self._unset(value, list(dict.fromkeys(["forward", *self._members_needed(kind), *self._asked_of(kind)])))
        if id(kind) not in self._seen:
            self.cells.append((_ForwardCell(kind), kind.forward))
        self._class(kind)

    def _optimizer(self, value: Optimizer, where: str) -> None:
        self.optimizers.append(value)

    def _function(self, value: FunctionType, where: str) -> None:
        inner = inspect_unwrapped(value)
        for function in {id(f): f for f in (value, inner)}.values():
            self._followed.add(function.__code__)
            is_ours = function.__code__ in self._codes or is_library(function.__code__.co_filename)
            if not is_ours:
                continue
            if function.__code__ in self._codes:
                self.functions.append(function)
            for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
                if name == "__class__":
                    continue
                try:
                    held = cell.cell_contents
                except ValueError:
                    continue
                self.cells.append((cell, held))
                self.value(held, f"{name} of {function.__qualname__}")
            for default in (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()):
                self.value(default, f"a default of {function.__qualname__}")

    def _method(self, value: MethodType, where: str) -> None:
        self.value(value.__self__, where)
        self.value(value.__func__, where)

    def _partial(self, value: Any, where: str) -> None:
        for part in (value.func, *value.args, value.keywords):
            self.value(part, where)

    def _python_module(self, value: ModuleType, where: str) -> None:
        if is_library(str(getattr(value, "__file__", "<built-in>"))):
            return
        for name in self._names & vars(value).keys():
            self.entry(vars(value), name, f"{value.__name__}.{name}")

    def _class(self, kind: type) -> None:
        needed = self._members_needed(kind)
        for base in kind.__mro__:
            if id(base) in self._seen or _is_of_library(base):
                continue
            self._seen[id(base)] = base
            self.cells += [(cell := _ClassCell(base, name), cell.cell_contents) for name in needed]
            for name, member in list(vars(base).items()):
                function = _function_of(member)
                if isinstance(function, FunctionType):
                    self._function(function, name)
                elif name in self._names and not name.startswith("__") and not hasattr(member, "__get__"):
                    self.value(member, f"{base.__qualname__}.{name}")

    def _members_needed(self, kind: type) -> list[str]:
        """Names that are looked up in a class: those that the called functions name, and these functions' own."""
        members = [item for base in kind.__mro__ if not _is_of_library(base) for item in vars(base).items()]
        called = [n for n, m in members if getattr(_function_of(m), "__code__", None) in self._codes]
        return list(dict.fromkeys([*called, *(name for name, _ in members if name in self._names)]))

    def _asked_of(self, kind: type) -> list[str]:
        """Names that may be asked for by `getattr` with a default, of classes of the program's own."""
        return [] if _is_of_library(kind) else [name for name in self._asked if not hasattr(kind, name)]

    def _unset(self, value: Any, names: list[str]) -> None:
        """Guard that an object itself has none of these: what its class holds is used."""
        for name in names:
            if name not in vars(value):
                self.objects.tables.append(vars(value))
                self.objects.keys.append(name)
                self.objects.values.append(None)

    def _mapping(self, value: dict[Any, Any], where: str) -> None:
        if len(value) > _LONGEST:
            raise NotApplicable(f"{where} is a dict of {len(value)} entries, too many to guard")
        self.lists.append((value, tuple(value)))
        for key in value:
            self.entry(value, key, f"{where}[{key!r}]")

    def _sequence(self, value: Any, where: str) -> None:
        if len(value) > _LONGEST:
            raise NotApplicable(f"{where} holds {len(value)} items, too many to guard")
        self.lists.append((value, tuple(value)))
        for number, item in enumerate(value):
            self.value(item, f"{where}[{number}]")

    def _object(self, value: Any, where: str) -> None:
        for name in list(vars(value)):
            if self._is_named(name, value):
                self.entry(vars(value), name, f"{where}.{name}")
        self._unset(value, list(dict.fromkeys([*self._members_needed(type(value)), *self._asked_of(type(value))])))
        self._class(type(value))

    def _is_named(self, name: str, owner: Any) -> bool:
        place = type(owner).__module__.partition(".")[0]
        return name in self._names or self._takes_all or place in ("torch", "builtins") or name.startswith("__wrapped")


class _ClassCell:
    """An attribute of a class, with the interface of a closure's cell."""

    def __init__(self, kind: type, name: str) -> None:
        self._kind, self._name = kind, name

    @property
    def cell_contents(self) -> Any:
        return vars(self._kind).get(self._name)

    def put_back(self, value: Any) -> None:
        setattr(self._kind, self._name, value)


class _ForwardCell:
    """The forward of a class of modules, wherever it is defined."""

    def __init__(self, kind: type[nn.Module]) -> None:
        self._kind = kind

    @property
    def cell_contents(self) -> Any:
        return self._kind.forward


def _is_of_library(kind: type) -> bool:
    return kind.__module__.partition(".")[0] in ("torch", "builtins", "numpy")


def _function_of(member: Any) -> Any:
    return getattr(member, "fget", None) or getattr(member, "__func__", member)


def inspect_unwrapped(function: Any) -> FunctionType:
    """The function behind decorators that say what they wrap."""
    while isinstance(inner := getattr(function, "__wrapped__", None), FunctionType):
        function = inner
    return function


def _a_class(reached: Reached, value: type, _where: str) -> None:
    reached._class(value)  # pyright: ignore[reportPrivateUsage]


def _nothing(_reached: Reached, _value: Any, _where: str) -> None:
    return


_FOLLOWERS: list[tuple[Any, Callable[[Any, Any, str], None]]] = [
    (Tensor, Reached._tensor),  # pyright: ignore[reportPrivateUsage]
    (nn.Module, Reached._module),  # pyright: ignore[reportPrivateUsage]
    (Optimizer, Reached._optimizer),  # pyright: ignore[reportPrivateUsage]
    (type, _a_class),
    (FunctionType, Reached._function),  # pyright: ignore[reportPrivateUsage]
    (MethodType, Reached._method),  # pyright: ignore[reportPrivateUsage]
    (functools.partial, Reached._partial),  # pyright: ignore[reportPrivateUsage]
    (ModuleType, Reached._python_module),  # pyright: ignore[reportPrivateUsage]
    ((dict, OrderedDict, defaultdict, types.MappingProxyType), Reached._mapping),  # pyright: ignore[reportPrivateUsage]
    (_SEQUENCES, Reached._sequence),  # pyright: ignore[reportPrivateUsage]
    ((range, slice, property, classmethod, staticmethod, types.BuiltinFunctionType), _nothing),
]
