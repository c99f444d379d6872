"""Finds what can be named: built-ins by file name, third parties by entry point.

A built-in of kind K named N is the file N.py in K's folder. In it, the object whose `name` attribute equals N is
registered; where there is none (recipes), the function `build` is. A third party declares an entry point
`hotloop.K` of that name; it is loaded only when it is asked for.
"""

import importlib
import pkgutil
from importlib.metadata import entry_points
from typing import Any

from hotloop.errors import RegistryError

_FOLDERS = {
    "transforms": "hotloop.transforms",
    "rules": "hotloop.lint.rules",
    "workloads": "hotloop.workloads.recipes",
    "strategies": "hotloop.train.strategies",
    "rewards": "hotloop.train.rewards",
    "models": "hotloop.models",
    "probes": "hotloop.diagnose.probes",
}


def names(kind: str) -> tuple[str, ...]:
    """Sorted names of everything registered under `kind`; nothing is imported but the folder itself."""
    return tuple(sorted({*_built_in(kind), *(point.name for point in entry_points(group=f"hotloop.{kind}"))}))


def load(kind: str, name: str) -> Any:
    """The object registered under `name`. Raises RegistryError with the known names where there is none."""
    if name in _built_in(kind):
        return _registered(importlib.import_module(f"{_FOLDERS[kind]}.{name}"), name)
    for point in entry_points(group=f"hotloop.{kind}", name=name):
        return point.load()
    known = ", ".join(names(kind)) or "none"
    raise RegistryError(f"no {kind.removesuffix('s')} is named {name!r}; known are: {known}")


def _built_in(kind: str) -> set[str]:
    if kind not in _FOLDERS:
        raise RegistryError(f"{kind!r} is not a kind of plug-in; kinds are: {', '.join(_FOLDERS)}")
    try:
        folder = importlib.import_module(_FOLDERS[kind])
    except ModuleNotFoundError as error:
        if error.name is None or not _FOLDERS[kind].startswith(error.name):
            raise
        return set()
    return {module.name for module in pkgutil.iter_modules(folder.__path__) if not module.name.startswith("_")}


def _registered(module: Any, name: str) -> Any:
    for value in vars(module).values():
        if getattr(value, "name", None) == name and getattr(value, "__module__", None) == module.__name__:
            return value
    if hasattr(module, "build"):
        return module.build
    raise RegistryError(f"{module.__name__} registers nothing: give it a class with name = {name!r}, or build(seed)")
