"""From the parameters of an estimator to keywords of its network."""

from dataclasses import asdict, fields
from typing import Any

from hotloop.estimators import old_names
from hotloop.estimators.network import NetPlan
from hotloop.estimators.parameters import NetParameters
from hotloop.models.state import StateConfig

_DEFAULT_UNITS = 64


def net_plan(given: NetParameters, name: str, features: int, columns: int, **keywords: Any) -> NetPlan:
    """The network `name` with hidden layers and activations as the parameters say, and further keywords."""
    shared = {
        "hidden_layers": int(given.hidden_layers),
        "activation": given.activation_type,
        "activation_options": activation_options(given),
    }
    return NetPlan(name=name, in_features=features, out_features=columns, keywords={**shared, **keywords})


def hidden_units(given: NetParameters) -> int:
    """The width of hidden layers."""
    width = old_names.hidden_units(given.hidden_units, given.hidden_width)
    return _DEFAULT_UNITS if width is None else int(width)


def activation_options(given: NetParameters) -> dict[str, Any]:
    """The options of the activations, under their new names."""
    return {old_names.ACTIVATION_OPTIONS.get(name, name): value for name, value in (given.activation or {}).items()}


def state_keywords(given: NetParameters) -> dict[str, Any] | None:
    """How the state moves, as plain data; None for an estimator without state."""
    state = given.state
    if state is None and not given.stateful:
        return None
    if isinstance(state, StateConfig):
        return asdict(state)
    known = [field.name for field in fields(StateConfig)]
    unknown = set(state or {}) - set(known)
    if unknown:
        raise ValueError(f"got the keys {sorted(unknown)} in state; allowed are {', '.join(known)}: leave them out")
    return dict(state or {})
