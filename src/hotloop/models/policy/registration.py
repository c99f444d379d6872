"""Actor-critics by name: built-ins by file, third parties by entry point, decorator or import path.

Nothing is imported before it is asked for; a class is checked against the protocol when it is registered, which for an
entry point or an import path is when it is loaded.
"""

import inspect
from typing import TYPE_CHECKING, Any, TypeVar

from hotloop import registry
from hotloop.errors import ModelError, RegistryError
from hotloop.import_path import ImportPathError, imported
from hotloop.models.policy.schema import checked_config, option_annotations

if TYPE_CHECKING:
    from hotloop.models.policy.actor_critic import ActorCriticProtocol

KIND = "actor_critics"
ModelClass = TypeVar("ModelClass", bound=type[Any])

# Each method of the protocol, and the names of its first arguments.
_METHODS: dict[str, tuple[str, ...]] = {
    "forward": (),
    "get_action_and_value": ("obs", "legal_mask", "deterministic"),
    "evaluate_actions": ("obs", "actions", "legal_mask"),
    "train": (),
    "eval": (),
    "parameters": (),
    "state_dict": (),
    "load_state_dict": (),
    "to": (),
}
_decorated: dict[str, type[Any]] = {}


def names() -> tuple[str, ...]:
    """Sorted names of all actor-critics that `create` makes; imports none of them."""
    return tuple(sorted({*registry.names(KIND), *_decorated}))


def register(model: ModelClass) -> ModelClass:
    """Decorator: make a class of actor-critics known under its `name` for as long as this process lives.

    Raises ModelError where it does not keep the protocol, or where its name is taken.
    """
    _check(model)
    if _decorated.get(model.name, model) is not model or model.name in registry.names(KIND):
        raise ModelError(
            f"{model.__qualname__} has the name {model.name!r}, which is taken; taken are {', '.join(names())}: "
            "choose another"
        )
    _decorated[model.name] = model
    return model


def unregister(name: str) -> None:
    """Forget a model that was registered by decorator. Raises RegistryError where none was under that name."""
    if _decorated.pop(name, None) is None:
        known = ", ".join(sorted(_decorated)) or "none"
        raise RegistryError(f"no model was registered as {name!r} by decorator; those that were: {known}")


def create(name: str, **options: Any) -> "ActorCriticProtocol":
    """The model registered under `name`, or the class at an import path `package.module:Class`, with `options`.

    The options are the fields of the class's `Config`. Raises RegistryError for an unknown name and ModelError for
    options that do not fit.
    """
    model = model_class(name)
    return model(checked_config(model.Config, options, owner=f"model {name!r}"))


def model_class(name: str) -> type[Any]:
    """The class that `create` would make one of. Raises RegistryError and ModelError as `create` does."""
    if name in _decorated:
        return _decorated[name]
    if ":" in name:
        try:
            return _check(imported(name))
        except ImportPathError as error:
            raise RegistryError(f"model {name!r}: {error}; give package.module:Class") from error
    if name not in registry.names(KIND):
        known = ", ".join(names())
        raise RegistryError(f"no model is named {name!r}; known are: {known}; or give package.module:Class")
    return _check(registry.load(KIND, name))


def _check(model: Any) -> type[Any]:
    """The class itself, where it keeps the protocol."""
    owner = getattr(model, "__qualname__", repr(model))
    if not isinstance(model, type):
        raise ModelError(f"{owner} is a {type(model).__name__}; a class of actor-critics is needed: register that")
    if not isinstance(getattr(model, "name", None), str):
        raise ModelError(f"{owner} has no name; give the class an attribute name = '...'")
    for method, wanted in _METHODS.items():
        found = getattr(model, method, None)
        if not callable(found):
            raise ModelError(f"{owner} has no method {method}; needed are {', '.join(_METHODS)}: add it")
        given = tuple(inspect.signature(found).parameters)[1 : 1 + len(wanted)]
        if given != wanted:
            raise ModelError(
                f"{owner}.{method} takes ({', '.join(given)}); the protocol has ({', '.join(wanted)}): rename them"
            )
    option_annotations(getattr(model, "Config", None), owner=owner)
    return model
