"""Objects by import path, `package.module:name`, for files that must not hold code; and modules by file."""

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any


class ImportPathError(ImportError):
    """The path leads nowhere: no such module, or no such name in it."""


def imported(path: str) -> Any:
    """The object at `module:name`; importing runs the module's code.

    Raises ImportPathError where the path leads nowhere, and whatever the module itself raises.
    """
    module, _, name = path.partition(":")
    try:
        return attribute(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise
        raise ImportPathError(f"no module {error.name!r} can be imported") from error


def attribute(module: ModuleType, name: str) -> Any:
    """The object of that name, dots allowed, in a module. Raises ImportPathError where there is none."""
    found: Any = module
    for part in name.split("."):
        if not hasattr(found, part):
            raise ImportPathError(f"{module.__name__} has no {name!r}")
        found = getattr(found, part)
    return found


def module_from_file(file: Path, name: str) -> ModuleType:
    """The module in a Python file, run now and known to `sys.modules` under `name`."""
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ImportPathError(f"{file} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def import_path(thing: Any) -> str | None:
    """`module:name` from which exactly `thing` can be imported; None for a lambda, a closure or a bound method."""
    # Universal functions of NumPy have no qualified name.
    module, name = getattr(thing, "__module__", None), getattr(thing, "__qualname__", getattr(thing, "__name__", None))
    if not module or not name or "<" in name or module == "__main__":
        return None
    path = f"{module}:{name}"
    try:
        return path if imported(path) is thing else None
    except ImportError:
        return None
