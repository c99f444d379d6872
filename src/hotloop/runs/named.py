"""What a config names: estimators, rewards, extractors, loaders; by registered name or by dotted path."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from hotloop import registry
from hotloop.errors import ConfigError
from hotloop.import_path import ImportPathError, attribute, imported, module_from_file
from hotloop.runs.config import TargetConfig


def load_named(path: str, *, folder: Path) -> Any:
    """The object at `package.module:name`, `package.module.name`, or `file.py:name` relative to `folder`.

    Importing runs the module's code: only for paths from a config that the user named. Raises ConfigError.
    """
    module_name, _, name = path.partition(":") if ":" in path else path.rpartition(".")
    if not module_name or not name:
        raise ConfigError(f"got the dotted path {path!r}; it is package.module:name or file.py:name: write it so")
    try:
        if not module_name.endswith(".py"):
            return imported(f"{module_name}:{name}")
        file = folder / module_name
        if not file.is_file():
            raise ConfigError(f"no such file: {file}; a path in a config is relative to the config: correct it")
        return attribute(module_from_file(file, f"hotloop_named_{file.stem}"), name)
    except ImportPathError as error:
        raise ConfigError(f"{path!r}: {error}; correct the path, install the package, or give file.py:name") from error


def load_estimator(target: str, params: dict[str, Any], *, folder: Path) -> Any:
    """An estimator of the class that `target` names, with `params`. Raises ConfigError for unknown ones."""
    from hotloop import estimators

    kind = getattr(estimators, target, None) if target in estimators.__all__ else None
    if kind is None and not any(mark in target for mark in ".:"):
        known = [name for name in estimators.__all__ if name.endswith("Regressor")]
        raise ConfigError(f"got the estimator {target!r}; known are {', '.join(known)}, or give a dotted path")
    kind = load_named(target, folder=folder) if kind is None else kind
    try:
        return kind(**params)
    except TypeError as error:
        allowed = ", ".join(sorted(kind().get_params()))
        raise ConfigError(f"estimator.params of {target}: {error}; allowed are {allowed}") from error


def load_reward(given: str | TargetConfig, *, folder: Path) -> Callable[..., Any]:
    """The reward that a config names: registered, or by dotted path, with its keywords bound."""
    target = given if isinstance(given, TargetConfig) else TargetConfig(target=given)
    is_registered = target.target in registry.names("rewards")
    if not is_registered and not any(mark in target.target for mark in ".:"):
        known = ", ".join(registry.names("rewards"))
        raise ConfigError(f"got the reward {target.target!r}; registered are {known}, or give a dotted path")
    kind = registry.load("rewards", target.target) if is_registered else load_named(target.target, folder=folder)
    return _bound(kind, target)


def load_callable(given: str | TargetConfig, *, folder: Path) -> Callable[..., Any]:
    """The function or the made object that a dotted path names, with its keywords bound."""
    target = given if isinstance(given, TargetConfig) else TargetConfig(target=given)
    return _bound(load_named(target.target, folder=folder), target)


def _bound(found: Any, target: TargetConfig) -> Callable[..., Any]:
    try:
        made = found(**target.kwargs) if isinstance(found, type) else found
    except TypeError as error:
        raise ConfigError(f"{target.target} with {target.kwargs}: {error}; correct its kwargs") from error
    if not callable(made):
        raise ConfigError(f"{target.target} is a {type(made).__name__}, which cannot be called; name a function")
    return made if isinstance(found, type) or not target.kwargs else partial(made, **target.kwargs)
