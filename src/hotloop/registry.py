"""Finds what can be named: built-ins by file name, third parties by entry point.

A built-in of kind K named N is the file N.py in K's folder (rules: in a folder for each family there). In it, the
object whose `name` attribute equals N is registered, or the class of a rule, which has a `code`; where there is neither
(recipes), the function `build` is. A third party declares an entry point `hotloop.K` of that name; it is loaded only
when it is asked for.
"""

import importlib
import pkgutil
from importlib.metadata import entry_points
from typing import Any

from hotloop.errors import RegistryError

_FOLDERS = {
    "transforms": "hotloop.transforms",
    "rules": "hotloop.lint.rules.*",  # a folder for each family
    "workloads": "hotloop.workloads.recipes",
    "environments": "hotloop.workloads.environments",
    "strategies": "hotloop.train.strategies",
    "rewards": "hotloop.train.rewards",
    "models": "hotloop.models",
    "actor_critics": "hotloop.models.actor_critics",
    "probes": "hotloop.diagnose.probes",
    "trackers": "hotloop.records.trackers",
    "predictors": "hotloop.train.phases.predictors",
    "blueprints": "hotloop.workloads.growth.blueprints",
    "growth_tasks": "hotloop.workloads.growth.tasks",
}


def names(kind: str) -> tuple[str, ...]:
    """Sorted names of everything registered under `kind`; nothing is imported but the folder itself."""
    return tuple(sorted({*_built_in(kind), *(point.name for point in entry_points(group=f"hotloop.{kind}"))}))


def load(kind: str, name: str) -> Any:
    """The object registered under `name`. Raises RegistryError with the known names where there is none."""
    module = _built_in(kind).get(name)
    if module is not None:
        return _registered(importlib.import_module(module), name)
    for point in entry_points(group=f"hotloop.{kind}", name=name):
        return point.load()
    known = ", ".join(names(kind)) or "none"
    raise RegistryError(f"no {kind.removesuffix('s')} is named {name!r}; known are: {known}")


def _built_in(kind: str) -> dict[str, str]:
    """The full name of each built-in's module, by the name of its file."""
    if kind not in _FOLDERS:
        raise RegistryError(f"{kind!r} is not a kind of plug-in; kinds are: {', '.join(_FOLDERS)}")
    folder = _FOLDERS[kind].removesuffix(".*")
    try:
        modules = _modules_in(folder, packages=folder != _FOLDERS[kind])
    except ModuleNotFoundError as error:
        if error.name is None or not folder.startswith(error.name):
            raise
        return {}
    if folder != _FOLDERS[kind]:
        modules = [module for family in modules for module in _modules_in(family, packages=False)]
    return {module.rpartition(".")[2]: module for module in modules}


def _modules_in(package: str, *, packages: bool) -> list[str]:
    """Full names of the public files of a folder, or of its folders."""
    found = pkgutil.iter_modules(importlib.import_module(package).__path__)
    public = [module for module in found if not module.name.startswith("_")]
    return [f"{package}.{module.name}" for module in public if module.ispkg == packages]


def _registered(module: Any, name: str) -> Any:
    for value in vars(module).values():
        is_own = getattr(value, "__module__", None) == module.__name__
        if is_own and (getattr(value, "name", None) == name or hasattr(value, "code")):
            return value
    if hasattr(module, "build"):
        return module.build
    raise RegistryError(f"{module.__name__} registers nothing: give it a class with name = {name!r}, or build(seed)")
