"""Activations by the names that estimators use."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from hotloop.models.relu_sigmoid import ReLUSigmoidPSANN
from hotloop.models.sine import SineParam

_ALIASES = {
    "sine": "psann",
    "respsann": "psann",
    "rspsann": "relu_sigmoid_psann",
    "rsp": "relu_sigmoid_psann",
    "clipped_psann": "relu_sigmoid_psann",
}
_KINDS = ("psann", "relu", "tanh", "relu_sigmoid_psann")


def build_activation(
    kind: str, features: int, options: Mapping[str, Any] | None = None, *, feature_dim: int = -1
) -> nn.Module:
    """A fresh activation of `kind` for `features` features; relu and tanh take no options.

    Raises ValueError for a name that is none.
    """
    name = kind.strip().lower()
    name = _ALIASES.get(name, name)
    if name not in _KINDS:
        raise ValueError(f"got activation {kind!r}; choose one of {', '.join((*_KINDS, *_ALIASES))}")
    if name == "relu":
        return nn.ReLU()
    if name == "tanh":
        return nn.Tanh()
    wanted: dict[str, Any] = {"feature_dim": feature_dim, **(options or {})}
    return SineParam(features, **wanted) if name == "psann" else ReLUSigmoidPSANN(features, **wanted)
