"""The dense network: linear layers with sine activations."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, ClassVar

from torch import Tensor, nn

from hotloop.models._activation import build_activation
from hotloop.models._initial import draw_hidden, draw_layers
from hotloop.models.state import StateConfig, StateController, Stateful


class DenseLayer(nn.Module):
    """Linear, activation and, with a `state`, the persistent gain."""

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        activation: str = "psann",
        activation_options: Mapping[str, Any] | None = None,
        state: StateConfig | None = None,
    ) -> None:
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)
        self.activation = build_activation(activation, out_features, activation_options)
        self.gain = None if state is None else StateController(out_features, state)

    def forward(self, x: Tensor) -> Tensor:
        y = self.activation(self.linear(x))
        return y if self.gain is None else self.gain(y)


class DensePSANN(Stateful):
    """`hidden_layers` x [linear, sine, optional gain], then a linear head; (N, in_features) -> (N, out_features).

    `w0` scales the initial weights of all layers but the first.
    """

    name: ClassVar[str] = "dense"

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        hidden_layers: int = 2,
        hidden_units: int = 64,
        w0: float = 30.0,
        activation: str = "psann",
        activation_options: Mapping[str, Any] | None = None,
        state: StateConfig | None = None,
    ) -> None:
        super().__init__()
        widths = [in_features, *[hidden_units] * hidden_layers]
        self.layers = nn.Sequential(
            *(
                DenseLayer(before, after, activation=activation, activation_options=activation_options, state=state)
                for before, after in pairwise(widths)
            )
        )
        self.head = nn.Linear(widths[-1], out_features)
        draw_layers((layer.linear for layer in self.layers if isinstance(layer, DenseLayer)), w0)
        draw_hidden(self.head, w0)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.layers(x))
