"""Which functions of the program a region calls: noted by a profile function while the region runs plainly."""

import builtins
import dis
import gc
import random
import sys
import sysconfig
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType, ModuleType
from typing import Any

import numpy
import torch

from hotloop.errors import NotApplicable

_OURS = str(Path(__file__).parents[2])
_LIBRARIES = tuple(
    f"{Path(folder)}/"
    for folder in (
        Path(str(torch.__file__)).parent,
        Path(str(numpy.__file__)).parent,
        _OURS,
    )
)
_STDLIB = f"{sysconfig.get_path('stdlib')}/"
_EFFECTS = ("print", "open", "input", "breakpoint", "exec", "eval", "globals", "setattr", "delattr")
_ASKING = frozenset({"getattr", "hasattr"})
_EFFECT_MODULES = frozenset(
    {"os", "time", "datetime", "random", "secrets", "uuid", "numpy.random", "subprocess", "socket"}
)


def is_library(file: str) -> bool:
    """Whether code of this file is torch's, numpy's, hotloop's or Python's own, and no part of the program."""
    if file.startswith("<"):
        return True
    is_standard = file.startswith(_STDLIB) and "site-packages" not in file and "dist-packages" not in file
    return is_standard or file.startswith(_LIBRARIES)


@dataclass(kw_only=True)
class Executed:
    """Code objects of the program that were entered, with the globals of each."""

    codes: dict[CodeType, dict[str, Any]] = field(default_factory=dict[CodeType, dict[str, Any]])

    @contextmanager
    def noted(self) -> Generator[None]:
        """Note what is entered while inside; another profile function must not be set.

        Python's collector waits: its callbacks and the finalizers that it calls are no part of a step.
        """
        is_collecting = gc.isenabled()
        gc.disable()
        sys.setprofile(self._enter)
        try:
            yield
        finally:
            sys.setprofile(None)
            if is_collecting:
                gc.enable()

    def _enter(self, frame: FrameType, event: str, _argument: Any) -> None:
        if event == "call" and frame.f_code not in self.codes and not is_library(frame.f_code.co_filename):
            self.codes[frame.f_code] = frame.f_globals

    def new_to(self, other: "Executed") -> dict[CodeType, dict[str, Any]]:
        """Code that `other` has not entered; of installed packages only what it knows, since tracing calls some."""
        files = {code.co_filename for code in other.codes}
        return {
            code: table
            for code, table in self.codes.items()
            if code not in other.codes and ("site-packages" not in code.co_filename or code.co_filename in files)
        }

    def attribute_names(self) -> frozenset[str]:
        """Attributes that any of them reads or writes."""
        return frozenset(name for code in self.codes for kind, name in _names(code) if kind in ("attribute", "asked"))

    def asked_names(self) -> frozenset[str]:
        """Attributes that any of them may ask for by `getattr` or `hasattr`, which need not be there."""
        return frozenset(name for code in self.codes for kind, name in _names(code) if kind == "asked")

    def global_names(self) -> Iterator[tuple[dict[str, Any], str]]:
        """Globals that any of them reads or writes, with their tables."""
        for code, table in self.codes.items():
            yield from ((table, name) for kind, name in _names(code) if kind == "global" and name in table)

    def check_effects(self) -> None:
        """Raise NotApplicable where one of them does what no graph can."""
        for code, table in self.codes.items():
            for kind, name in _names(code):
                if kind != "global":
                    continue
                value = table.get(name, getattr(builtins, name, None))
                named = value.__name__ if isinstance(value, ModuleType) else _home(value)
                if (name in _EFFECTS and name not in table) or named in _EFFECT_MODULES:
                    raise NotApplicable(
                        f"{code.co_qualname} ({Path(code.co_filename).name}:{code.co_firstlineno}) uses {name}, "
                        "which acts outside of the step"
                    )


def _home(value: Any) -> str:
    """The module that a function or a class comes from; "random" for a method of a generator of Python's."""
    if isinstance(getattr(value, "__self__", None), random.Random):
        return "random"
    return str(getattr(value, "__module__", "")) if callable(value) else ""


def _names(code: CodeType) -> list[tuple[str, str]]:
    found = _cache.get(code)
    if found is None:
        found = _cache[code] = list(_read_names(code))
    return found


_cache: dict[CodeType, list[tuple[str, str]]] = {}


def _read_names(code: CodeType) -> Iterator[tuple[str, str]]:
    if not _ASKING.isdisjoint(code.co_names):
        yield from (("asked", text) for text in code.co_consts if isinstance(text, str) and text.isidentifier())
    for instruction in dis.get_instructions(code):
        kind = instruction.opname
        if kind.endswith(("_GLOBAL", "_NAME")):
            yield "global", str(instruction.argval)
        elif kind.endswith(("_ATTR", "_METHOD")):
            yield "attribute", str(instruction.argval)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)
